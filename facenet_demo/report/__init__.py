"""The report: a folder with a page that opens in any browser, without a connection.

A report has pages; a page is plain values and a script that draws them. What comes in are
dataclasses of plain values and names of pictures: the report sees neither a data set nor a network.

    start_report(folder, "My network")
    page = Page("brightness", "Brightness", Path("mypage.js"), {"mean": 0.43})
    write_report(folder, Report("My network", pages=(page,)))
"""

from facenet_demo.report.contents import (
    DataFacts,
    FileEntry,
    NetworkFacts,
    Page,
    Picture,
    Report,
    check_page_name,
)
from facenet_demo.report.measures import SCORES, Measure
from facenet_demo.report.writer import report_path, start_report, write_report

__all__ = [
    "SCORES",
    "DataFacts",
    "FileEntry",
    "Measure",
    "NetworkFacts",
    "Page",
    "Picture",
    "Report",
    "check_page_name",
    "report_path",
    "start_report",
    "write_report",
]

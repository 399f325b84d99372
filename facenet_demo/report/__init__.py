"""The report: a folder with a page that opens in any browser, without a connection.

Contents are dataclasses of plain values and names of pictures; the report sees neither a data set
nor a network.
"""

from facenet_demo.report.contents import (
    Answer,
    Claim,
    Contribution,
    DataFacts,
    FileEntry,
    Interval,
    LayerPage,
    LayerRow,
    NetworkFacts,
    NetworkPages,
    PartScore,
    PersonScore,
    PhotoPage,
    Picture,
    Progression,
    Report,
    UnitPage,
    Verdict,
)
from facenet_demo.report.measures import MEASURES, SCORES, Measure
from facenet_demo.report.writer import report_path, start_report, write_report

__all__ = [
    "MEASURES",
    "SCORES",
    "Answer",
    "Claim",
    "Contribution",
    "DataFacts",
    "FileEntry",
    "Interval",
    "LayerPage",
    "LayerRow",
    "Measure",
    "NetworkFacts",
    "NetworkPages",
    "PartScore",
    "PersonScore",
    "PhotoPage",
    "Picture",
    "Progression",
    "Report",
    "UnitPage",
    "Verdict",
    "report_path",
    "start_report",
    "write_report",
]

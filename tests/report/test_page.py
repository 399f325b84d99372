"""The page, opened from disk in headless Chromium and clicked through."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser, find_browser
from fake_report import LAYERS, PARTS, fake_report, layer_pages

from facenet_demo.report import SCORES, Report, start_report, write_report
from facenet_demo.report import Page as ReportPage
from facenet_demo.visualize.pages.layers import LayerEntry, NetworkEntry
from facenet_demo.visualize.pages.units import PartScore, PersonScore, UnitEntry

HOME = "#/layers/trained"
LAYER = f"{HOME}/stages.1"
ROUTES = ("#/", "#/layers", "#/layers/untrained", LAYER, "#/layers/untrained/stem", f"{LAYER}/5",
          "#/compare", "#/photos", "#/measures", "#/measures/iou", f"{HOME}/stages.7")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A name that an address must escape.
    return tmp_path_factory.mktemp("my report #1")


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    made = fake_report(folder)
    write_report(folder, made)
    return made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    program = find_browser()
    if program is None:
        pytest.skip("needs Chromium: on Debian, apt-get install chromium")
    with browser(program) as page:
        yield page


@pytest.fixture
def page(chromium: Page, folder: Path, report: Report) -> Iterator[Page]:
    """The front page of the fake report; whatever a test does, no problem may come of it."""
    chromium.problems.clear()
    chromium.requests.clear()
    chromium.size(1280)
    chromium.scheme("light")
    chromium.open("about:blank")
    chromium.open((folder / "index.html").as_uri())
    yield chromium
    assert chromium.problems == []
    outside = [url for url in chromium.requests if not url.startswith(folder.as_uri())]
    assert set(outside) <= {"about:blank"}


def text(page: Page, selector: str) -> str:
    return page.run(f"document.querySelector({selector!r}).textContent")


def texts(page: Page, selector: str) -> list[str]:
    return page.run(f"[...document.querySelectorAll({selector!r})].map((e) => e.textContent)")


def tiles(page: Page, within: str = "main") -> list[int]:
    """The numbers of the units in a grid, in the order shown."""
    return [int(number) for number in texts(page, f"{within} .grid .tile b")]


def choose(page: Page, control: str, value: str) -> None:
    page.run(f"""(() => {{
        const select = document.querySelector('[data-control="{control}"]');
        select.value = {value!r};
        select.dispatchEvent(new Event("change"));
    }})()""")


def networks(report: Report) -> tuple[NetworkEntry, ...]:
    return report.pages[1].values["networks"]


def units(report: Report, network: int = 0) -> tuple[UnitEntry, ...]:
    return networks(report)[network].layers[list(LAYERS).index("stages.1")].units


@pytest.mark.parametrize("hash_", ROUTES)
def test_every_picture_is_there_and_nothing_is_wider_than_a_phone(page: Page, hash_: str) -> None:
    page.size(360)
    page.go(hash_)
    page.run("for (const details of document.querySelectorAll('details')) details.open = true")
    pictures = page.run("""Promise.all([...document.images].map(async (image) => {
        image.loading = "eager";
        await image.decode().catch(() => null);
        return [image.naturalWidth, image.naturalHeight,
                Number(image.getAttribute("width")), Number(image.getAttribute("height")),
                image.alt];
    }))""")
    assert all(w > 0 and (w, h) == (width, height) for w, h, width, height, _ in pictures)
    assert all(alt for *_, alt in pictures)
    assert len(pictures) > 0 or hash_.startswith("#/measures") or hash_.endswith("7")
    assert page.run("document.documentElement.scrollWidth") <= 360


def test_the_head_says_what_and_how_well(page: Page, report: Report) -> None:
    head = text(page, ".masthead")
    for fact in (report.title, "98.0\u00a0%", "412,840", "400", "colour cannot be told", "dropout"):
        assert fact in head
    assert "AT&T Laboratories Cambridge" in text(page, "#footer")
    assert page.run("document.querySelector('.banner')") is None


def test_verdicts_say_in_words_what_they_are(page: Page) -> None:
    words = ["Supported", "Supported", "Not supported", "Not measurable"]
    assert texts(page, ".verdict .state") == words
    assert "2 of 4" in text(page, ".lead")


def test_all_numbers_and_intervals_are_there(page: Page, report: Report) -> None:
    table = texts(page, ".measure-table:nth-of-type(1) tbody tr")
    for line, row in zip(table, report.pages[0].values["progression"].rows, strict=True):
        assert line.startswith(row.layer)
        for value in (v for interval in row.scores["edges"].values() for v in interval):
            assert f"{value:.2f}" in line
    assert text(page, ".measure-table tbody b") == "0.82"


def test_from_the_front_page_to_a_unit_and_back(page: Page) -> None:
    page.click(".layer:nth-child(3) h3 a")
    assert page.run("location.hash") == LAYER
    page.click(".grid .tile:nth-child(3)")
    assert page.run("location.hash") == f"{LAYER}/2"
    assert text(page, "h1") == "Unit 2 of stages.1"
    page.click("a[rel=next]")
    assert page.run("location.hash") == f"{LAYER}/3"
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert page.run("location.hash") == f"{LAYER}/1"
    page.click(".back")
    assert page.run("location.hash") == LAYER
    assert page.run("document.activeElement.tagName") == "H1"


def test_a_link_opens_a_unit(page: Page, folder: Path, report: Report) -> None:
    page.open("about:blank")
    page.open((folder / "index.html").as_uri() + "#/layers/untrained/stages.1/7")
    unit = units(report, network=1)[7]
    assert text(page, "h1") == "Unit 7 of stages.1, untrained"
    shown = text(page, "main")
    for part, score in unit.parts.items():
        assert part in shown
        assert f"{score.iou:.2f}" in shown
    assert unit.best_person in shown
    assert len(texts(page, ".pictures figcaption")) == 2


def test_people_are_sorted_and_all_can_be_shown(page: Page, report: Report) -> None:
    page.go(f"{LAYER}/4")
    rows = ".columns > section tbody th"
    people = sorted(units(report)[4].people, key=lambda person: -person.response)
    assert texts(page, rows) == [person.name for person in people[:10]]
    page.click(".columns > section .chip")
    assert texts(page, rows) == [person.name for person in people]


@pytest.mark.parametrize("score", [name for name in SCORES if name != "gabor_r2"])
def test_units_are_sorted_by_each_score(page: Page, report: Report, score: str) -> None:
    page.go(LAYER)
    choose(page, "sort", score)
    best_first = sorted(units(report), key=lambda unit: -unit.scores[score])
    assert tiles(page) == [unit.unit for unit in best_first]
    page.click(".grid .tile:nth-child(2)")
    page.click("a[rel=next]")
    assert text(page, "h1").startswith(f"Unit {best_first[2].unit} ")


def test_units_are_sorted_by_part_and_number(page: Page, report: Report) -> None:
    page.go(LAYER)
    choose(page, "sort", "part")
    place = {part: i for i, part in enumerate((*PARTS, None))}
    expected = sorted(units(report), key=lambda u: (place[u.best_part], -u.scores["iou"]))
    assert tiles(page) == [unit.unit for unit in expected]
    choose(page, "sort", "")
    assert tiles(page) == list(range(12))


def test_a_score_that_no_unit_has_is_not_offered(page: Page) -> None:
    options = "[data-control=sort] option"
    page.go(LAYER)
    assert SCORES["gabor_r2"].label not in texts(page, options)
    page.go(f"{HOME}/stem")
    assert SCORES["gabor_r2"].label in texts(page, options)


def test_units_are_filtered_by_part(page: Page, report: Report) -> None:
    page.go(LAYER)
    part = next(unit.best_part for unit in units(report) if unit.best_part)
    page.click(f"[data-part={part}]")
    own = [unit.unit for unit in units(report) if unit.best_part == part]
    assert tiles(page) == own
    assert text(page, ".count").startswith(f"{len(own)} of 12 units")
    assert page.run("document.activeElement.dataset.part") == part
    assert f"part={part}" in page.run("location.hash")
    page.click("[data-part='']")
    assert len(tiles(page)) == 12


def test_two_layers_side_by_side(page: Page, report: Report) -> None:
    page.click("nav#nav a:nth-child(3)")
    assert texts(page, ".sides h2") == ["stages.1trained", "stages.1untrained"]
    choose(page, "side-1", '["untrained","stem"]')
    assert texts(page, ".sides h2") == ["stages.1trained", "stemuntrained"]
    choose(page, "sort", "iou")
    stem = sorted(networks(report)[1].layers[0].units, key=lambda unit: -unit.scores["iou"])
    assert tiles(page, ".sides section:nth-child(2)") == [unit.unit for unit in stem]
    assert page.run("location.hash") == "#/compare/trained/stages.1/untrained/stem?sort=iou"


def test_photos_lead_to_the_units_that_spoke(page: Page, report: Report) -> None:
    page.click("nav#nav a:nth-child(4)")
    assert texts(page, ".photo h2") == [photo.title for photo in report.pages[3].values["photos"]]
    assert "86.0\u00a0%" in text(page, ".photo")
    page.click(".speakers li:nth-child(2) a")
    assert page.run("location.hash") == f"{HOME}/stages.2/3"


def test_each_measure_is_explained(page: Page) -> None:
    page.go(f"{LAYER}/4")
    page.click("a.measure[href$=selectivity]")
    assert page.run("document.activeElement.id") == "selectivity"
    assert len(texts(page, ".glossary dd")) == len(SCORES) + 4


def test_back_returns_to_the_place(page: Page) -> None:
    page.size(360, 500)
    page.go(LAYER)
    tile = ".grid .tile:nth-child(8)"
    page.run(f"document.querySelector({tile!r}).scrollIntoView({{block: 'center'}})")
    left = page.run("scrollY")
    assert left > 0
    page.click(tile)
    assert page.run("scrollY") == 0
    page.run("""new Promise((done) => {
        addEventListener("hashchange", () => setTimeout(done), {once: true});
        history.back();
    })""")
    assert page.run("scrollY") == left


def test_the_keyboard_reaches_the_content(page: Page) -> None:
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    page.click(".skip")
    assert page.run("document.activeElement.id") == "main"


def test_on_a_phone_the_current_page_is_in_view_in_the_navigation(page: Page) -> None:
    page.size(360)
    for route in ("#/measures", "#/"):
        page.go(route)
        left, right, start, end = page.run("""(() => {
            const nav = document.getElementById("nav");
            const link = nav.querySelector("[aria-current]").getBoundingClientRect();
            return [link.left, link.right, nav.getBoundingClientRect().left, innerWidth];
        })()""")
        assert start - 1 <= left < right <= end


def test_what_does_not_exist_is_said(page: Page) -> None:
    for hash_ in (
        "#/nobody",
        "#/layers/nobody",
        f"{HOME}/stages.9",
        f"{LAYER}/99",
        "#/compare/a/b/c/d",
        "#/%E0%A4",
    ):
        page.go(hash_)
        assert text(page, "h1") == "Nothing of that name"


def test_print_shows_the_numbers_and_no_controls(page: Page) -> None:
    assert base64.b64decode(page.send("Page.printToPDF")["data"]).startswith(b"%PDF")
    assert page.run("document.querySelector('details.numbers').open")
    page.send("Emulation.setEmulatedMedia", media="print")
    hidden = page.run("""[".bar", ".tabs", ".more"].map((selector) =>
        getComputedStyle(document.querySelector(selector)).display)""")
    page.send("Emulation.setEmulatedMedia", media="")
    assert hidden == ["none"] * 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(page: Page, scheme: str) -> None:
    """Contrast of at least 4.5 : 1, which WCAG 2.2 asks of text (success criterion 1.4.3)."""
    page.scheme(scheme)
    ratios = page.run("""(() => {
        const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
        const light = (colour) => {
            const [r, g, b] = rgb(colour).map((v) => v / 255).map((v) =>
                v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const paper = (element) => {
            const colour = getComputedStyle(element).backgroundColor;
            return rgb(colour)[3] === 0 ? paper(element.parentElement) : colour;
        };
        const selectors = ["h1", ".standfirst", ".kicker", ".stats dt", ".notes li", "summary",
            ".verdict.yes .state", ".verdict.no .state", ".verdict.unknown .state", ".verdict p",
            ".bar a", ".tabs a", ".facts", ".more a", "figcaption", "#footer p", "thead th"];
        return selectors.map((selector) => {
            const element = document.querySelector(selector);
            const [a, b] = [getComputedStyle(element).color, paper(element)].map(light);
            return [selector, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
        });
    })()""")
    assert [pair for pair in ratios if pair[1] < 4.5] == []


def test_an_unfinished_report_says_so(page: Page, tmp_path: Path) -> None:
    start_report(tmp_path, "Half a report")
    page.open((tmp_path / "index.html").as_uri())
    assert "unfinished" in text(page, ".banner")
    assert text(page, "h1") == "Half a report"
    for hash_ in ("#/compare", "#/photos", "#/measures"):
        page.go(hash_)
        assert "unfinished" in text(page, ".banner")
    page.requests.clear()


def test_a_report_with_little_in_it_and_long_names(page: Page, tmp_path: Path) -> None:
    """A layer without space, units without pictures or scores, names that no line can hold."""
    name = "layer4.1.downsample_of_the_residual_branch.0.conv"
    person = "Wolfeschlegelsteinhausenbergerdorff_Hubert_Blaine_Senior"
    part = "left_corner_of_the_mouth_as_seen_in_the_image"
    unit = UnitEntry(0, part, person, {"iou": None}, {part: PartScore(0.5)},
                    (PersonScore(person, -0.5), PersonScore("B", 0.0)))  # fmt: skip
    layer = LayerEntry(name, 1000, None, 512, units=(unit, UnitEntry(999)))
    empty = LayerEntry("head", 40, None, 512)
    network = NetworkEntry("untrained", (layer, empty))
    write_report(tmp_path, Report(person, pages=layer_pages(network)))
    page.size(360)
    page.open((tmp_path / "index.html").as_uri())
    home = f"#/layers/untrained/{name}"
    for hash_ in ("#/", home, f"{home}/0", f"{home}/999", "#/layers/untrained/head", "#/compare"):
        page.go(hash_)
        assert text(page, "h1") != "Nothing of that name"
        assert page.run("document.documentElement.scrollWidth") <= 360, hash_
    page.requests.clear()


def test_a_page_whose_script_does_not_draw_it_says_so(page: Page, tmp_path: Path) -> None:
    script = tmp_path / "mine.js"
    script.write_text('registerPage("another", () => "drawn");')
    pages = tuple(ReportPage(name, name, script, {}) for name in ("mine", "another"))
    write_report(tmp_path, Report("Title", pages=pages))
    page.open((tmp_path / "index.html").as_uri())
    assert 'page-mine.js, which is to draw this page, is broken or has no registerPage("mine"' in (
        text(page, ".banner")
    )
    page.go("#/another")
    assert text(page, "main") == "drawn"
    page.requests.clear()


def test_nothing_outside_the_folder_can_be_asked_for(page: Page) -> None:
    """The page's policy forbids it, whatever a script or a name in the data tries."""
    blocked = page.run("""new Promise((done) => {
        addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        new Image().src = "http://127.0.0.1:9/picture.png";
    })""")
    assert blocked == "img-src"
    page.problems.clear()  # Chromium reports what was blocked as one
    page.requests.clear()

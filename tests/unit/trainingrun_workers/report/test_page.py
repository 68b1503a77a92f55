"""The page: whole in itself, in the page's colours, and safe against what names may hold."""

from trainingrun_workers.report.page import Section, inlined, page, table

SVG = b"""<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/dtd/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="302pt" height="172pt" viewBox="0 0 302 172">
<metadata><rdf:RDF/></metadata><defs><path id="m1" style="stroke: #333333"/></defs>
<use xlink:href="#m1" style="fill: #0072b2"/><g clip-path="url(#p2)"/><text>loss</text></svg>"""


def test_a_figure_is_put_in_without_its_header_and_size() -> None:
    text = inlined(SVG, "s0f0")
    assert text.startswith("<svg ")
    assert 'pt"' not in text
    assert "metadata" not in text
    assert 'viewBox="0 0 302 172"' in text


def test_ids_of_two_figures_do_not_meet() -> None:
    text = inlined(SVG, "s0f1")
    assert 'id="s0f1-m1"' in text
    assert 'xlink:href="#s0f1-m1"' in text
    assert "url(#s0f1-p2)" in text


def test_ink_follows_the_page_and_a_models_colour_does_not() -> None:
    text = inlined(SVG, "a")
    assert "stroke: var(--ink)" in text
    assert '<text fill="var(--ink)"' in text
    assert "fill: #0072b2" in text


def test_texts_are_escaped_wherever_they_stand() -> None:
    section = Section("<script>", tables=(table(["<b>"], [["<i>", "&"]]),), notes=("<u>",))
    text = page("<title>", [section])
    assert not any(tag in text for tag in ("<script>", "<b>", "<i>", "<u>", "<title><title>"))
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text

"""The documentation says of causes what the code does."""

from builders import REPOSITORY
from trainingrun.plan.document import causes_table


def test_the_table_of_causes_in_the_architecture_page_is_the_codes() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    printed = page.split("<!-- causes -->\n")[1].split("<!-- /causes -->")[0]
    assert printed == causes_table()

"""Decision tables written shortly, for the tests that need many of them."""

from xml.sax.saxutils import escape, quoteattr

from engine.feel import dmn

STANDARD = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def table_xml(
    policy: str,
    inputs: list[tuple[str, ...]],
    outputs: list[tuple[str, ...]],
    rules: list[tuple[str, ...]],
    *,
    aggregation: str = "",
    declared: bool = True,
    extra: str = "",
) -> bytes:
    """Return a model with one decision `D`.

    Args:
        inputs: Of each column the expression, its type, and the values allowed; the last two may be left out.
        outputs: Of each column the name, its type, the values in order, and the default; the last three may be left out.
        rules: Cells from left to right; the id of the third is `r3`.
        declared: Whether the columns are inputs of the model, too.
        extra: More elements of the model.
    """

    def attribute(name: str, cells: tuple[str, ...], place: int) -> str:
        return f" {name}={quoteattr(cells[place])}" if len(cells) > place and cells[place] else ""

    def part(name: str, cells: tuple[str, ...], place: int) -> str:
        return f"<{name}><text>{escape(cells[place])}</text></{name}>" if len(cells) > place and cells[place] else ""

    data = needs = ""
    if declared:
        for name in dict.fromkeys(cells[0] for cells in inputs):
            data += f'<inputData id="i_{name}" name={quoteattr(name)}/>'
            needs += f'<informationRequirement><requiredInput href="#i_{name}"/></informationRequirement>'
    columns = "".join(
        f"<input><inputExpression{attribute('typeRef', cells, 1)}><text>{escape(cells[0])}</text></inputExpression>{part('inputValues', cells, 2)}</input>"
        for cells in inputs
    )
    columns += "".join(
        f"<output name={quoteattr(cells[0])}{attribute('typeRef', cells, 1)}>{part('outputValues', cells, 2)}{part('defaultOutputEntry', cells, 3)}</output>"
        for cells in outputs
    )
    for number, rule in enumerate(rules, 1):
        assert len(rule) == len(inputs) + len(outputs), rule
        cells = "".join(f"<inputEntry><text>{escape(cell)}</text></inputEntry>" for cell in rule[: len(inputs)])
        cells += "".join(f"<outputEntry><text>{escape(cell)}</text></outputEntry>" for cell in rule[len(inputs) :])
        columns += f'<rule id="r{number}">{cells}</rule>'
    how = f' aggregation="{aggregation}"' if aggregation else ""
    return (
        f'<definitions xmlns="{STANDARD}" namespace="urn:t" name="t">{extra}{data}<decision id="d" name="D">{needs}'
        f'<decisionTable id="t" hitPolicy="{policy}"{how}>{columns}</decisionTable></decision></definitions>'
    ).encode()


def table_of(xml: bytes) -> dmn.TableBox:
    """Return the table of the decision `D`."""
    logic = next(element.logic for element in dmn.read_xml(xml).elements if element.name == "D")
    assert isinstance(logic, dmn.TableBox)
    return logic

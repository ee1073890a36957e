"""Each picture that a cell draws is told in words too: by the labels of its axes, or by the section it stands in."""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

LABEL = re.compile(r"""\b{}=f?(["'])(.*?)\1""")


def words(code: str, section: str) -> str:
    """The text for a picture drawn by this code."""
    across, up = (re.search(LABEL.pattern.format(name), code) for name in ("xlabel", "ylabel"))
    if across and up:
        return f"{section}: {up[2]} by {across[2]}"
    return f"{section}: a picture, drawn by the code above"


class Words(SphinxPostTransform):
    """Give a text to each picture in the output of a cell that has none."""

    default_priority = 9  # after the outputs are chosen, before they are written

    def run(self, **kwargs: object) -> None:
        """Go through the cells of a page."""
        for cell in self.document.findall(nodes.container):
            if cell.get("nb_element") == "cell_code":
                code = "\n".join(block.astext() for block in cell.findall(nodes.literal_block))
                for image in cell.findall(nodes.image):
                    section = next(iter(_section(cell).findall(nodes.title)), None)
                    image.setdefault("alt", words(code, section.astext() if section else "A cell"))


def _section(node: nodes.Node) -> nodes.Node:
    while not isinstance(node, (nodes.section, nodes.document)):
        node = node.parent
    return node


def setup(app) -> dict[str, bool]:
    """Tell Sphinx of the transform."""
    app.add_post_transform(Words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""What axe-core finds wrong with a page for people who see or hear it otherwise."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
_RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`));
}"""


async def violations(page: Page) -> list[str]:
    """The serious ones of the page as it is now; each names the rule and the element."""
    await page.evaluate(_AXE)
    found: list[str] = await page.evaluate(_RUN)
    return found

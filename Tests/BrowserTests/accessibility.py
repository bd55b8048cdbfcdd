"""What a page owes to people who see, hear or type in another way, as far as a program can look at it.

Read first: https://www.w3.org/TR/WCAG22/ (1.3.1, 1.4.3, 1.4.11, 2.4.6, 2.5.8, 4.1.2)."""

# One function body: gives a list of sentences, each about one thing that is wrong.
CHECK = r"""
const wrong = [];
const what = (node) => `${node.localName}${node.id ? "#" + node.id : ""}.${node.getAttribute("class") ?? ""} “${(node.textContent || node.value || "").trim().slice(0, 40)}”`;
const isSeen = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const all = [...document.querySelectorAll("body *")].filter(isSeen);

// Names.
const nameOf = (node) => (node.getAttribute("aria-label")
  ?? (node.getAttribute("aria-labelledby") ? document.getElementById(node.getAttribute("aria-labelledby"))?.textContent : null)
  ?? (node.labels?.length ? [...node.labels].map((label) => label.textContent).join(" ") : null)
  ?? (["input", "select", "textarea"].includes(node.localName) ? "" : node.textContent)).trim();
for (const node of all) {
  if (node.matches("input, select, textarea, button, a[href], summary, dialog, nav, svg[role=img]") && nameOf(node) === "") {
    wrong.push(`${what(node)} has no name`);
  }
  if (node.localName === "img" && !node.hasAttribute("alt")) wrong.push(`${what(node)} has no text in its place`);
  for (const key of ["aria-describedby", "aria-labelledby", "for"]) {
    for (const id of (node.getAttribute(key) ?? "").split(" ").filter(Boolean)) {
      if (!document.getElementById(id)) wrong.push(`${what(node)}: ${key} names nothing`);
    }
  }
  if (node.matches("[tabindex]") && Number(node.getAttribute("tabindex")) > 0) wrong.push(`${what(node)} changes the order of the tabulator`);
}
const ids = all.map((node) => node.id).filter(Boolean);
for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`two elements are #${id}`);

if (/\[object |undefined|NaN/.test(document.body.innerText)) wrong.push("something is shown that is no text");

// Headings and places.
const levels = all.filter((node) => /^h[1-6]$/.test(node.localName)).map((node) => Number(node.localName[1]));
if (levels.filter((level) => level === 1).length !== 1) wrong.push(`${levels.filter((level) => level === 1).length} first headings`);
levels.forEach((level, index) => { if (level > (levels[index - 1] ?? 0) + 1) wrong.push(`a heading of level ${level} follows one of ${levels[index - 1]}`); });
if (document.querySelectorAll("main").length !== 1) wrong.push("no main");
if (!document.documentElement.lang) wrong.push("no language");
if (!document.title) wrong.push("no title");
for (const table of all.filter((node) => node.localName === "table")) {
  if (!table.caption || table.querySelectorAll("thead th[scope=col]").length === 0) wrong.push(`${what(table)} has no caption or heads`);
}

// Contrast.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const parse = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return { r, g, b, a: a / 255 };
};
const over = (top, under) => ({
  r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
});
const ground = (node) => {
  const layers = [];
  for (let one = node; one; one = one.parentElement) {
    const color = parse(getComputedStyle(one).backgroundColor);
    if (color.a > 0) layers.push(color);
    if (color.a === 1) break;
  }
  return layers.reverse().reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
};
const light = ({ r, g, b }) => {
  const [x, y, z] = [r, g, b].map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (a, b) => {
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};
let pairs = 0;
for (const node of all) {
  const style = getComputedStyle(node);
  const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== "") || node.matches("input:not([type=checkbox]), textarea, select");
  if (node.matches(":disabled, [aria-disabled=true]") || node.closest("svg")) continue;
  if (hasText) {
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const behind = ground(node);
    const found = contrast(over(parse(style.color), behind), behind);
    pairs += 1;
    if (found < (isLarge ? 3 : 4.5)) wrong.push(`${what(node)}: a contrast of ${found.toFixed(2)}`);
  }
  if (node.matches("input:not([type=checkbox]), select, textarea, input.switch") && !node.closest(".editor")) {
    const found = contrast(parse(style.borderTopColor), ground(node.parentElement));
    pairs += 1;
    if (found < 3) wrong.push(`the edge of ${what(node)}: a contrast of ${found.toFixed(2)}`);
  }
}
if (pairs < 5) wrong.push(`only ${pairs} pairs of colours`);

// Room for fingers, and no room that is missing.
for (const node of all.filter((one) => one.matches("button:not(.link), input, select, nav a"))) {
  const { width, height } = node.getBoundingClientRect();
  const box = node.matches("input[type=checkbox]:not(.switch)") ? node.parentElement.getBoundingClientRect() : { width, height };
  if (box.width < 24 || box.height < 24) wrong.push(`${what(node)} is ${Math.round(width)} by ${Math.round(height)}`);
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push(`the page is ${document.documentElement.scrollWidth} wide where ${innerWidth} are there`);
return wrong;
"""

# Whether one sees what has the focus.
FOCUS = r"""
const node = document.activeElement;
const marked = node.closest(".editor") ?? node;
const style = getComputedStyle(marked);
return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
"""


def check(browser, where):
    """Fails with all that is wrong with what is shown now."""
    wrong = browser.run(CHECK)
    assert not wrong, f"{where}:\n  " + "\n  ".join(wrong)

// A slider shows another frame of its plot: the points of each curve were computed when the page was built.
for (const slider of document.querySelectorAll("figure.moving input")) {
  const figure = slider.closest("figure");
  const frames = JSON.parse(figure.querySelector("script").textContent);
  const curves = figure.querySelectorAll(":scope > svg g polyline");
  const show = () => {
    const frame = frames[slider.value];
    curves.forEach((curve, i) => curve.setAttribute("points", frame.points[i]));
    slider.setAttribute("aria-valuetext", frame.setting);
    figure.querySelector("output").textContent = frame.setting;
    figure.querySelector("figcaption").textContent = frame.says;
  };
  slider.addEventListener("input", show);
  show(); // a browser may bring back where the slider was
}

// A cell of attention weights marks the arrow of that look in the diagram. The arrow keys go from cell to cell, Tab past
// them all.
for (const figure of document.querySelectorAll(".attending")) {
  const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("button")]);
  const cells = rows.flat();
  const mark = (cell) => {
    const arrow = figure.querySelector(`g.edge[data-from="${cell.dataset.from}"][data-to="${cell.dataset.to}"]`);
    figure.querySelectorAll(".marked").forEach((other) => other.classList.remove("marked"));
    [cell, arrow].forEach((marked) => marked.classList.add("marked"));
    cells.forEach((other) => { other.tabIndex = other === cell ? 0 : -1; });
    bringIntoSight(arrow, arrow.closest(".scrolls"));
  };
  rows.forEach((row, i) => row.forEach((cell, j) => {
    for (const event of ["focus", "pointerenter", "click"]) cell.addEventListener(event, () => mark(cell));
    cell.addEventListener("keydown", (event) => {
      const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
      if (down === undefined) return;
      event.preventDefault();
      rows[i + down]?.[j + right]?.focus();
    });
  }));
  cells.forEach((cell, i) => { cell.tabIndex = i ? -1 : 0; });
}

/** Scrolls a diagram that is wider than its place to the end of an arrow. */
function bringIntoSight(arrow, place) {
  const [at, { left, right }] = [arrow.getBoundingClientRect(), place.getBoundingClientRect()];
  if (at.left < left || at.right > right) place.scrollLeft += at.right - right + 40;
}

// A slider shows another frame of its plot: the points of each curve were computed when the page was built.
for (const figure of document.querySelectorAll("figure.moving")) {
  const frames = JSON.parse(figure.querySelector("script").textContent);
  const slider = figure.querySelector("input");
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

// A cell of attention weights marks the arrow of that look in the diagram.
for (const cell of document.querySelectorAll(".attending button")) {
  const { from, to } = cell.dataset;
  const figure = cell.closest("figure");
  const mark = () => {
    figure.querySelectorAll(".marked").forEach((other) => other.classList.remove("marked"));
    figure.querySelector(`g.edge[data-from="${from}"][data-to="${to}"]`).classList.add("marked");
    cell.classList.add("marked");
  };
  for (const event of ["focus", "pointerenter", "click"]) cell.addEventListener(event, mark);
}

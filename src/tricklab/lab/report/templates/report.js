"use strict";
// The drawings are complete without this script. It switches the x axis, hides and shows arms, reads values off.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const inputs = [...document.querySelectorAll('input[name="axis"], input[name="part"]')];
  const chosen = {};

  function show() {
    for (const input of inputs) if (input.checked) chosen[input.name] = input.value;
    for (const svg of document.querySelectorAll("svg[data-axis]"))
      svg.toggleAttribute("hidden", svg.dataset.axis !== chosen.axis || svg.dataset.part !== chosen.part);
    for (const tip of document.querySelectorAll(".tip")) tip.hidden = true;
  }
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const input of inputs) {
    if (asked.get(input.name) === input.value) input.checked = true;
    input.addEventListener("change", () => { show(); history.replaceState(null, "", "#axis=" + chosen.axis + "&part=" + chosen.part); });
  }
  show();

  const hidden = new WeakMap();
  function toggleSeries(figure, name) {
    const off = hidden.get(figure) ?? new Set();
    if (!off.delete(name)) off.add(name);
    hidden.set(figure, off);
    for (const element of figure.querySelectorAll("[data-series]")) {
      if (element.dataset.series !== name) continue;
      if (element.classList.contains("key")) element.setAttribute("aria-pressed", String(!off.has(name)));
      else element.classList.toggle("off", off.has(name));
    }
  }

  function nearest(xs, x) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) { const middle = (low + high) >> 1; if (xs[middle] < x) low = middle; else high = middle; }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  }
  const written = (value) => Number(value.toPrecision(4)).toString();

  for (const figure of document.querySelectorAll("figure[data-curves]")) {
    const tip = figure.querySelector(".tip");
    const wrap = figure.querySelector(".hovering");
    for (const key of figure.querySelectorAll(".key")) {
      key.addEventListener("click", () => toggleSeries(figure, key.dataset.series));
      key.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggleSeries(figure, key.dataset.series); }
      });
    }
    for (const svg of figure.querySelectorAll("svg[data-axis]")) {
      const plot = data.curves[figure.dataset.curves][svg.dataset.axis];
      const cursor = svg.querySelector(".cursor");
      const hide = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
      svg.addEventListener("pointerleave", hide);
      svg.addEventListener("pointermove", (event) => {
        const matrix = svg.getScreenCTM();
        if (!matrix) return;
        const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
        const [left, right] = plot.box, [low, high] = plot.range[svg.dataset.part];
        if (at.x < left || at.x > right || at.y > 300) { hide(); return; }
        const x = low + (at.x - left) / (right - left) * (high - low);
        cursor.setAttribute("x1", at.x); cursor.setAttribute("x2", at.x); cursor.setAttribute("visibility", "visible");
        const heading = document.createElement("b");
        heading.textContent = written(x) + " " + data.axes[svg.dataset.axis];
        tip.replaceChildren(heading);
        const off = hidden.get(figure) ?? new Set();
        for (const series of plot.series) {
          if (off.has(series.name) || !series.x.length) continue;
          const index = nearest(series.x, x);
          const row = document.createElement("div"), name = document.createElement("span"), value = document.createElement("span");
          row.className = series.colour;
          name.textContent = series.name;
          value.textContent = written(series.y[index]) + (series.low ? " [" + written(series.low[index]) + ", " + written(series.high[index]) + "]" : "");
          row.append(name, value);
          tip.append(row);
        }
        tip.hidden = false;
        const box = wrap.getBoundingClientRect(), room = box.width - tip.offsetWidth - 8, beside = event.clientX - box.left + 18;
        tip.style.left = Math.max(0, beside > room ? event.clientX - box.left - tip.offsetWidth - 18 : beside) + "px";
      });
    }
  }
})();

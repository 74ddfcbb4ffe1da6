// Draws the figures from the data in the page. Without this script the pictures stay.
const specs = JSON.parse(document.getElementById("specs").textContent);
const hidden = new Set(); // groups that a click on a legend switched off, in all figures
const figures = [...document.querySelectorAll("figure[data-stem]")].filter((f) => f.dataset.stem in specs);

/** Load plotly from its packed text in the page; resolves once, when it is ready. */
let library = null;
function plotly() {
  library ??= (async () => {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const text = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(text).text();
    document.head.append(script);
  })();
  return library;
}

/** A card is small, and the legend of all cards stands above them. */
function fitted(spec, figure) {
  if (!figure.classList.contains("small")) return spec;
  const { data, layout } = structuredClone(spec);
  Object.assign(layout.meta, { heights: layout.meta.heights.map((height) => 0.65 * height), small: true });
  for (const one of [...data, ...(layout.shapes ?? [])]) one.showlegend = false;
  return { data, layout };
}

/** One legend for all cards, of buttons that switch a series in all figures. */
const glyphs = { circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", "triangle-down": "▼", cross: "✚", x: "✖", star: "★" };
const buttons = new Map();
function legend() {
  const list = document.createElement("div");
  list.className = "legend";
  list.setAttribute("role", "group");
  list.setAttribute("aria-label", "Show or hide in all figures");
  const small = figures.filter((one) => one.classList.contains("small"));
  for (const { data, layout } of small.map((one) => specs[one.dataset.stem])) {
    for (const { name, legendgroup, showlegend, mode, marker, line, fillcolor } of data) {
      if (!showlegend || buttons.has(legendgroup)) continue;
      const button = entry(sign(mode, marker, line, fillcolor), marker?.color ?? line?.color, layout.meta.dark, name, "button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.addEventListener("click", () => toggle(legendgroup));
      buttons.set(legendgroup, button);
      list.append(button);
    }
    for (const { name, showlegend, line } of layout.shapes ?? []) {
      if (!showlegend || buttons.has(name)) continue;
      const shape = entry("┄", line.color, layout.meta.dark, name, "span");
      buttons.set(name, shape);
      list.append(shape);
    }
  }
  document.querySelector(".cards").before(list);
}
function sign(mode, marker, line, fillcolor) {
  if (fillcolor) return "▒";
  const pointed = mode?.includes("markers") && marker?.opacity !== 0;
  return pointed ? (glyphs[marker?.symbol] ?? "●") : "—";
}
function entry(glyph, colour, dark, name, tag) {
  const whole = document.createElement(tag);
  const mark = document.createElement("span");
  const label = document.createElement("span");
  mark.textContent = glyph;
  mark.style.color = `light-dark(${colour}, ${dark[colour] ?? colour})`;
  mark.setAttribute("aria-hidden", "true");
  label.innerHTML = name; // plotly's own escaping
  whole.append(mark, " ", label);
  return whole;
}
function toggle(group) {
  hidden.has(group) ? hidden.delete(group) : hidden.add(group);
  buttons.get(group)?.setAttribute("aria-pressed", String(!hidden.has(group)));
  figures.forEach(hide);
}

async function draw(figure) {
  await plotly();
  const plot = document.createElement("div");
  plot.className = "plot";
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", figure.querySelector("img").alt);
  figure.prepend(plot);
  figure.classList.add("live");
  await drawFigure(plot, fitted(specs[figure.dataset.stem], figure));
  plot.on("plotly_legendclick", ({ curveNumber, data }) => {
    toggle(data[curveNumber].legendgroup);
    return false;
  });
  plot.on("plotly_legenddoubleclick", () => false);
  const { dataset } = figure.dataset;
  plot.on("plotly_click", ({ points: [point], event }) => {
    if (point.id !== undefined) showClip(dataset, point.id, event.clientX, event.clientY);
  });
  if (plot.data.some((trace) => trace.ids)) {
    const list = clipList(dataset);
    if (list.querySelector("option")) plot.after(list);
  }
  hide(figure);
}

/** Show the series of a figure as the legends of all figures say. */
function hide(figure) {
  const plot = figure.querySelector(".plot");
  if (!plot?.data) return;
  const visible = plot.data.map((trace) => (hidden.has(trace.legendgroup) ? "legendonly" : true));
  if (visible.some((state, place) => state !== (plot.data[place].visible ?? true))) {
    Plotly.restyle(plot, { visible });
  }
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      draw(target);
    }
  },
  { rootMargin: "300px" },
);
if ("DecompressionStream" in window) {
  legend();
  figures.forEach((figure) => seen.observe(figure));
}

/** Sort the rows of a table by the column of a clicked head: highest first, then lowest first. */
function sort(head) {
  const table = head.closest("table");
  const column = [...head.parentNode.children].indexOf(head);
  const down = head.getAttribute("aria-sort") !== "descending";
  const value = (row) => Number(row.children[column].dataset.value);
  const rows = [...table.tBodies[0].rows].sort((a, b) => (down ? value(b) - value(a) : value(a) - value(b)));
  table.tBodies[0].append(...rows);
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
}
for (const head of document.querySelectorAll(".sortable thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  button.addEventListener("click", () => sort(head));
  head.append(button);
}

/** A link to a part opens the folds around it. */
function open() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let fold = target && target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}
addEventListener("hashchange", open);
open();

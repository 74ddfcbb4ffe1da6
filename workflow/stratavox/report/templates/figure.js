// Draws a figure of the report with plotly. A spec is {data, layout}, written by
// stratavox/report/screen.py; layout.meta says what depends on the width of the screen: columns (of
// panels in a row), heights (of each panel, px), shared axes, and colours for a dark page.
"use strict";

const drawFigure = (() => {
  const DARK = window.matchMedia("(prefers-color-scheme: dark)");
  const CONFIG = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["sendChartToCloud"], // uploads the data
  };
  // px: the narrowest panel, a cell that holds a number, a letter, a line of text
  const PANEL = 220, CELL = 26, LETTER = 6.5, LINE = 20;
  // px: between rows of panels, under the last row without its legend
  const BETWEEN = 90, UNDER = 75;

  // How many letters an entry of the legend has, and how many entries there are.
  function legend(spec) {
    const entries = [...spec.data, ...(spec.layout.shapes || [])].filter((one) => one.showlegend);
    return [Math.max(0, ...entries.map((one) => one.name.length)), entries.length];
  }

  function wrapped(text, letters) {
    const lines = [""];
    for (const word of text.split(/ |<br>/)) {
      const line = `${lines.at(-1)} ${word}`.trim();
      if (line.length > letters && lines.at(-1)) lines.push(word);
      else lines[lines.length - 1] = line;
    }
    return lines.join("<br>");
  }

  // Wraps the names beside a panel to so many px; returns the height that these need.
  function named(axis, room) {
    if (!axis.ticktext || !axis.ticktext.length) return 0;
    axis.ticktext = axis.ticktext.map((text) => wrapped(text, Math.floor(room / LETTER)));
    const lines = Math.max(...axis.ticktext.map((text) => text.split("<br>").length));
    return lines === 1 ? 0 : axis.ticktext.length * lines * 15;
  }

  function axisName(letter, place) {
    return `${letter}axis${place ? place + 1 : ""}`;
  }

  // The colours of the page around the figure, so that both fit together.
  function look(element, layout) {
    const page = getComputedStyle(element);
    const grid = DARK.matches ? "#4a4a4a" : "#dddddd";
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true };
    const text = { color: page.color, family: page.fontFamily, size: 12 };
    layout.template = {
      layout: {
        font: text,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: { ...axis, zeroline: false, title: { standoff: 8 } },
        yaxis: { ...axis, zeroline: false, title: { standoff: 8 } },
        hoverlabel: { align: "left", font: { family: page.fontFamily } },
        annotationdefaults: { showarrow: false },
      },
    };
  }

  // Places the panels in as many columns as fit, and the legend under them.
  function arrange(spec, width) {
    const { data, layout } = spec;
    const { shared, small } = layout.meta; // small: on a card, without legend
    const columns = Math.max(1, Math.min(layout.meta.columns, Math.floor(width / PANEL)));
    const heights = layout.meta.heights.map((height, place) =>
      Math.max(height, named(layout[axisName("y", place)], (0.42 * width) / columns)));
    const rows = [];
    for (let start = 0; start < heights.length; start += columns)
      rows.push(Math.max(...heights.slice(start, start + columns)));
    const [letters, entries] = legend(spec);
    const across = Math.max(1, Math.floor(width / (50 + LETTER * letters)));
    const scale = layout.coloraxis ? 60 : 0;
    const titles = (layout.annotations || []).filter((note) => note.name === "title");
    const beside = layout.yaxis.ticktext && layout.yaxis.ticktext.length;
    const letterRoom = Math.floor(((beside ? 0.5 : 0.9) * width) / columns / LETTER);
    for (const note of titles) note.text = wrapped(note.text, letterRoom);
    const under = (layout.annotations || []).filter((note) => note.name === "x title");
    for (const note of under) note.text = wrapped(note.text, Math.floor((0.8 * width) / LETTER));
    const more = under.reduce((sum, note) => sum + note.text.split("<br>").length - 1, 0);
    const lines = Math.max(0, ...titles.map((note) => note.text.split("<br>").length));
    const between = small ? 14 : BETWEEN + LINE * Math.max(0, lines - 1);
    const whole = rows.reduce((sum, height) => sum + height) + between * (rows.length - 1);
    const top = (small ? 8 : 30) + LINE * lines + (layout.meta.top || 0);
    const bottom = (small ? 45 : UNDER) + LINE * (Math.ceil(entries / across) + more) + scale;
    layout.margin = { t: top, r: 15, b: bottom, l: 50 };
    layout.height = whole + top + bottom;
    const gap = columns === 1 ? 0 : shared.includes("y") ? 0.03 : 0.08;
    const wide = (1 - gap * (columns - 1)) / columns;
    let from = 1;
    heights.forEach((height, place) => {
      const row = Math.floor(place / columns), column = place % columns;
      if (place && column === 0) from -= (rows[row - 1] + between) / whole;
      const x = layout[axisName("x", place)], y = layout[axisName("y", place)];
      const left = column * (wide + gap);
      const inside = width * wide * (y.ticktext && y.ticktext.length ? 0.5 : 0.8);
      if (x.title) x.title.text = wrapped(x.title.text, Math.floor(inside / LETTER));
      if (y.title) y.title.text = wrapped(y.title.text, Math.floor(height / LETTER));
      x.domain = [left, left + wide];
      y.domain = [Math.max(0, from - rows[row] / whole), from];
      if (shared.includes("y") && column) Object.assign(y, { showticklabels: false, title: {} });
      if (shared.includes("x") && place + columns < heights.length) x.showticklabels = false;
    });
    for (const trace of data.filter((one) => one.texttemplate)) {
      const [low, high] = layout[trace.xaxis.replace("x", "xaxis")].range;
      if ((0.6 * width * wide) / Math.abs(high - low) < CELL) delete trace.texttemplate;
    }
    const low = { yref: "container", yanchor: "bottom", orientation: "h" };
    layout.legend = { ...low, y: scale / layout.height, x: 0, xanchor: "left" };
    if (layout.coloraxis) {
      const bar = layout.coloraxis.colorbar;
      Object.assign(bar, { ...low, y: 0, thickness: 12, x: 1, xanchor: "right" });
      Object.assign(bar, { lenmode: "pixels", len: 0.55 * width });
      bar.title.text = wrapped(bar.title.text, Math.floor((0.55 * width) / LETTER));
    }
    return `${columns} ${across} ${Math.round(width / 100)}`;
  }

  function prepared(element, spec) {
    const dark = DARK.matches ? spec.layout.meta.dark : {};
    const drawn = JSON.parse(JSON.stringify(spec), (key, value) =>
      key.endsWith("color") && dark[value] ? dark[value] : value);
    look(element, drawn.layout);
    drawn.arrangement = arrange(drawn, element.clientWidth || 700);
    drawn.layout.uirevision = "kept"; // the reader's zoom stays when the figure is drawn again
    return drawn;
  }

  return function drawFigure(element, spec) {
    let drawn = prepared(element, spec);
    const again = () => {
      const next = prepared(element, spec);
      next.data.forEach((trace, place) => {
        const { visible } = element.data[place];
        if (visible !== undefined) trace.visible = visible;
      });
      (next.layout.shapes || []).forEach((shape, place) => {
        const { visible } = element.layout.shapes[place];
        if (visible !== undefined) shape.visible = visible;
      });
      drawn = next;
      return Plotly.react(element, next.data, next.layout, CONFIG);
    };
    DARK.addEventListener("change", again);
    new ResizeObserver(() => {
      if (element.clientWidth && prepared(element, spec).arrangement !== drawn.arrangement) again();
    }).observe(element);
    return Plotly.newPlot(element, drawn.data, drawn.layout, CONFIG);
  };
})();

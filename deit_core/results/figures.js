// What every Plotly figure has, on a page and in a file: its look, and the ways to keep it, as a picture and as numbers.
// Knows figures; neither pages nor what a figure shows. It exports nothing: whoever needs it puts it before its own script.

// How a kept picture looks, whatever the theme of the page: dark on white, in a font that every system has.
const PAPER = {
  text: "#1f1f1d",
  background: "#ffffff",
  surface: "#f2f2f0",
  line: "#c4c4c0",
  grid: "#e6e6e3",
  faded: "#5f5f5a",
  font: "Arial, sans-serif",
};

// Colours of a matrix, from 0 upwards and on both sides of 0. The text has a contrast of 4.5 and more to each of them.
const MATRIX = {
  light: { text: "#111111", least: "#f3f6fa", most: "#4c9bd9", opposite: "#f08a3c" },
  dark: { text: "#ffffff", least: "#23272e", most: "#0072b2", opposite: "#b84a00" },
};

// Of a page that is being left the theme is empty: it counts as light.
function isDark(colour) {
  const [base, digits] = colour.startsWith("#") ? [16, /[\da-f]{2}/gi] : [10, /[\d.]+/g];
  const [red, green, blue] = (colour.match(digits) ?? [255, 255, 255]).map((part) => parseInt(part, base));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

// A template does not override the figure's own settings, and applies to every axis.
function templateOf(theme) {
  const font = { family: theme.font, color: theme.text, size: 12 };
  const axis = {
    automargin: true,
    gridcolor: theme.grid,
    linecolor: theme.line,
    tickfont: { color: theme.faded },
    zerolinecolor: theme.grid,
    ticklabelstandoff: 4,
    title: { standoff: 8, font: { color: theme.faded, size: 14 } },
  };
  const { text, least, most, opposite } = isDark(theme.background) ? MATRIX.dark : MATRIX.light;
  return {
    data: { heatmap: [{ textfont: { color: text } }] },
    layout: {
      colorway: theme.colorway,
      colorscale: {
        sequential: [[0, least], [1, most]],
        diverging: [[0, most], [0.5, least], [1, opposite]],
      },
      font,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: theme.background, // what Plotly contrasts its hover labels with; it takes transparent for white
      margin: { l: 56, r: 16, t: 36, b: 44 },
      xaxis: { ...axis, showgrid: false },
      yaxis: axis,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      // A whole name: cutting an escaped one could cut an entity in two.
      hoverlabel: { bgcolor: theme.surface, bordercolor: theme.line, font, namelength: -1 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: theme.faded, activecolor: theme.text },
    },
  };
}

// What a screen reader says of a figure. A matrix takes the keyboard: `readByKeys` says its cells.
function setLabel(node, alt, [trace]) {
  const isMatrix = trace?.type === "heatmap";
  node.setAttribute("role", isMatrix ? "application" : "figure");
  node.setAttribute("aria-label", isMatrix ? `${alt} Arrow keys go from cell to cell.` : alt);
  if (isMatrix) node.tabIndex = 0;
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// Arrow keys show the label of one cell after another, and a screen reader says it: the node that is returned, which belongs
// beside the figure. `customdata` of a matrix has a sentence for each cell.
function readByKeys(node) {
  const said = document.createElement("div");
  said.setAttribute("role", "status");
  Object.assign(said.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)" });
  let place = null;
  const leave = () => {
    said.textContent = "";
    if (place) window.Plotly.Fx.unhover(node);
  };
  node.addEventListener("blur", leave);
  node.addEventListener("keydown", (event) => {
    const cells = node.data?.[0].customdata;
    if (event.key === "Escape") leave();
    if (!STEPS[event.key] || node.getAttribute("role") !== "application" || !cells) return;
    event.preventDefault(); // or the page would scroll
    const last = [cells.length - 1, cells[0].length - 1];
    place = place ? place.map((at, axis) => Math.max(0, Math.min(last[axis], at + STEPS[event.key][axis]))) : [0, 0];
    window.Plotly.Fx.hover(node, [{ xval: place[1], yval: place[0] }]);
    said.textContent = shownText(cells[place[0]][place[1]]);
  });
  return said;
}

// Three buttons that save the figure drawn in a node, as it is when they are pressed; `node.dataset.filename` names the files.
function saveButtons(node) {
  const group = document.createElement("div");
  group.className = "save-figure";
  group.setAttribute("role", "group");
  const ways = { PNG: () => savePicture(node, "png"), SVG: () => savePicture(node, "svg"), CSV: () => saveNumbers(node) };
  for (const [name, save] of Object.entries(ways)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.title = `Save as ${name}`;
    button.addEventListener("click", save);
    group.append(button);
  }
  return group;
}

function savePicture({ data, layout, dataset, clientWidth: width, clientHeight: height }, format) {
  const figure = { data, layout: { ...layout, template: templateOf(PAPER), paper_bgcolor: PAPER.background } };
  const scale = format === "png" ? 2 : 1;
  window.Plotly.downloadImage(figure, { format, filename: dataset.filename, width, height, scale });
}

function saveNumbers(node) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(node)], { type: "text/csv" }));
  link.download = `${node.dataset.filename}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // once the browser has taken it
}

function csvOf({ data, layout }) {
  const columns = data[0]?.type === "heatmap" ? matrixColumns(data[0], layout) : traceColumns(data, layout);
  const rows = Array.from({ length: Math.max(0, ...columns.map((column) => column.length)) }, (_, row) =>
    columns.map((column) => cellOf(column[row])).join(","),
  );
  return `${rows.join("\n")}\n`;
}

function matrixColumns({ x, y, z }, layout) {
  const corner = `${titleOf(layout.yaxis)} / ${titleOf(layout.xaxis)}`;
  return [[corner, ...y], ...x.map((name, column) => [name, ...z.map((row) => row[column])])];
}

// Traces over the same x share its column. `meta` of a trace may say how its column is called (`column`), and what stands at
// its x and y where these are only places on the axes (`places`, `values`).
function traceColumns(data, layout) {
  const groups = new Map(); // x as JSON -> its column and those of its traces
  for (const trace of data) {
    const x = trace.meta?.places ?? trace.x;
    const key = JSON.stringify(x);
    if (!groups.has(key)) groups.set(key, [[titleOf(layout.xaxis) || "x", ...x]]);
    const name = trace.meta?.column ?? trace.name ?? (titleOf(layout.yaxis) || "y");
    groups.get(key).push([name, ...(trace.meta?.values ?? trace.y)]);
    if (trace.error_y?.array) groups.get(key).push([`${name} ±`, ...trace.error_y.array]);
  }
  return [...groups.values()].flat();
}

function titleOf(axis) {
  return axis?.title?.text ?? "";
}

// What would be a formula in a spreadsheet begins with an apostrophe: the rule of deit_core/plain_text.py.
function cellOf(value) {
  if (typeof value !== "string") return String(value ?? "");
  const shown = shownText(value);
  const text = /^(\s*[=+\-@]|[\t\r\n])/.test(shown) ? `'${shown}` : shown;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Words of a figure as Plotly shows them.
function shownText(value) {
  return value.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}

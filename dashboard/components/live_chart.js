// Draws a Plotly figure into a node that outlives its data, so that a zoomed range survives every update.
// Lines whose `meta` says where more of them comes from continue with the points that the live feed of the page has received.
// Knows figures, Streamlit's theme and the fields of a point; not what they mean, or when they arrive. The look of a figure and the
// buttons that save it are in deit_core/results/figures.js, which stands before this script.

const charts = new WeakMap(); // the place in the page -> the Chart in it

// When a rerun of the whole page meets the tick of a fragment, Streamlit takes the fragment's elements away and brings
// them back at once. A chart therefore waits a moment before it ends, and its next mount takes it up as it was.
const waiting = new Map(); // page and key -> Chart
const WAIT_MS = 3000;

const CONFIG = { displaylogo: false, modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d"]] };

let library; // one download per page, shared by all its charts

function loadPlotly(url) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    // Every page of an app is directly under the app's base, so a relative address is right on each of them,
    // behind a proxy that adds a path too.
    script.src = new URL(url, document.baseURI).href;
    const fail = () => {
      library = undefined; // the next chart that mounts tries again
      script.remove();
      reject(new Error(`Plotly did not load from ${script.src}`));
    };
    script.onerror = fail;
    // With static serving off, the server answers with the page itself: a load, but no Plotly.
    script.onload = () => (window.Plotly ? resolve(window.Plotly) : fail());
    document.head.append(script);
  });
  return library;
}

function themeOf(node) {
  const style = getComputedStyle(node);
  const value = (name) => style.getPropertyValue(`--st-${name}`).trim();
  return {
    text: value("text-color"),
    background: value("background-color"),
    surface: value("secondary-background-color"),
    line: value("border-color"),
    grid: value("border-color-light"),
    faded: value("gray-text-color"),
    font: value("font"),
    colorway: value("chart-categorical-colors").split(","),
  };
}

// The line with the points that were measured since its figure was made.
function extended(trace) {
  const { run, kind, metric, position, scale, seq, average } = trace.meta ?? {};
  const points = window.liveFeed?.points[run] ?? [];
  const news = points.filter((point) => point.seq > seq && point.kind === kind && metric in point.metrics);
  const add = average ? averaging({ ...average }) : (value) => value;
  return {
    ...trace,
    x: trace.x.concat(news.map((point) => point[position] / scale)),
    y: trace.y.concat(news.map((point) => add(point.metrics[metric], point.epoch))),
  };
}

// Goes on with the moving average of dashboard/curves/figure.py.
function averaging(average) {
  return (value, epoch) => {
    const kept = average.weight ** (5 * (epoch - average.epoch));
    average.total = average.total * kept + value;
    average.count = average.count * kept + 1;
    average.epoch = epoch;
    return average.total / average.count;
  };
}

class Chart {
  constructor(identity, script) {
    this.identity = identity;
    this.node = document.createElement("div");
    this.said = readByKeys(this.node);
    this.buttons = saveButtons(this.node);
    this.buttons.hidden = true;
    this.library = loadPlotly(script);
    this.library.then((Plotly) => this.ended || this.start(Plotly), () => {});
  }

  start(Plotly) {
    this.Plotly = Plotly;
    this.buttons.hidden = false;
    this.observer = new ResizeObserver(() => this.resize());
    this.holdWhileDragging();
    window.addEventListener("live-points", () => this.dragging || this.draw(), { signal: this.listeners.signal });
    this.draw();
    this.observer.observe(this.node);
  }

  update(data) {
    this.data = data;
    setLabel(this.node, data.alt, data.figure.data);
    this.node.dataset.filename = data.filename;
    this.buttons.setAttribute("aria-label", `Save ${data.title}`);
    this.node.style.height = `${data.height}px`;
    if (this.Plotly && !this.dragging) this.draw();
  }

  // A new point would slide the axis away beneath the box that the reader is drawing.
  holdWhileDragging() {
    this.listeners = new AbortController();
    const options = { capture: true, signal: this.listeners.signal };
    this.node.addEventListener("pointerdown", () => (this.dragging = true), options);
    const release = () => {
      if (!this.dragging) return;
      this.dragging = false;
      setTimeout(() => this.draw()); // once Plotly has seen the release too, and zoomed
    };
    window.addEventListener("pointerup", release, options);
    window.addEventListener("pointercancel", release, options);
  }

  draw() {
    const { data, layout } = this.data.figure;
    // Plotly writes zoom and hidden traces into what it is given; the copies keep those out of Streamlit's data.
    this.Plotly.react(
      this.node,
      data.map((trace) => (trace.meta ? extended(trace) : { ...trace })),
      { uirevision: "constant", ...structuredClone(layout), autosize: true, template: templateOf(themeOf(this.node)) },
      // Where nothing can hover the buttons are always there, and would cover the first row of a matrix.
      { ...CONFIG, displayModeBar: data[0]?.type === "heatmap" ? false : "hover" },
    );
  }

  // A chart in a closed tab has no width to take.
  resize() {
    if (this.node.clientWidth > 0) this.Plotly.Plots.resize(this.node);
  }

  wait() {
    this.resume();
    waiting.set(this.identity, this);
    this.timer = setTimeout(() => this.end(), WAIT_MS);
  }

  resume() {
    waiting.delete(this.identity);
    clearTimeout(this.timer);
  }

  end() {
    this.resume();
    this.ended = true;
    this.observer?.disconnect();
    this.listeners?.abort();
    this.Plotly?.purge(this.node);
  }
}

function chartAt(place, data) {
  if (!charts.has(place)) {
    const identity = `${location.pathname} ${data.key}`;
    const chart = waiting.get(identity) ?? new Chart(identity, data.script);
    chart.resume();
    charts.set(place, chart);
    place.append(chart.node, chart.buttons, chart.said);
    chart.library.catch(() => {
      place.hidden = true;
      place.nextElementSibling.hidden = false;
    });
  }
  return charts.get(place);
}

export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".live-chart");
  const chart = chartAt(place, data);
  chart.update(data);
  // Streamlit also runs the cleanup of a call that a newer call overtook; then the chart is still on the page.
  return () => {
    if (!chart.node.isConnected) chart.wait();
  };
}

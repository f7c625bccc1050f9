// Shows how a run is: first as the server drew it, then as the live feed of the page says. Knows nothing else of runs.

export default function ({ data, parentElement }) {
  const line = parentElement.querySelector("span");
  line.textContent = data.text;
  const listening = new AbortController();
  const hear = ({ detail }) => {
    if (data.run in detail) line.textContent = detail[data.run];
  };
  window.addEventListener("live-lines", hear, { signal: listening.signal });
  return () => listening.abort();
}

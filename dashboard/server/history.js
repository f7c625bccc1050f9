// The browser's history of the dashboard: one entry for each visit to a page, whose address is the page as it was left.
//
// Streamlit adds an entry whenever a page writes into its own address, and empties the address of a page that is left
// before it shows the next one. So Back would need several presses, and find the page as it is at first.
(() => {
  const push = history.pushState.bind(history)
  const replace = history.replaceState.bind(history)
  let left = "" // the address of the page when a link to another was pressed

  addEventListener(
    "click",
    (event) => {
      const link = event.target.closest("a[href]")
      const opensAnother = event.ctrlKey || event.metaKey || event.shiftKey // tab or window
      if (link && !opensAnother && link.origin === location.origin && link.pathname !== location.pathname) {
        left ||= location.href // pressed twice, the first counts
      }
    },
    true,
  )
  addEventListener("popstate", () => (left = ""))
  history.pushState = (state, title, url) => {
    if (new URL(url, location.href).pathname === location.pathname) {
      replace(state, title, url)
      return
    }
    if (left) replace(history.state, "", left)
    left = ""
    push(state, title, url)
  }
})()

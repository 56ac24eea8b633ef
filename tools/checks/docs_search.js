// The search of the site where pages are opened as files: a browser starts no worker from a file, so the worker's script
// runs in a hidden frame. Has the part of a worker's interface that the theme uses, under the name it looks for.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const inside = frame.contentWindow
      this.loaded = new Promise(resolve => {
        inside.importScripts = (...urls) =>
          urls.reduce((before, src) => before.then(() => load(inside, src)), Promise.resolve())
        inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
        load(inside, url).then(resolve)
      })
      this.inside = inside
    }
    postMessage(data) {
      this.loaded.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })))
    }
    terminate() {
      this.inside.frameElement.remove()
    }
  }
  const load = (inside, src) =>
    new Promise((resolve, reject) => {
      const script = inside.document.createElement("script")
      script.onload = resolve
      script.onerror = reject
      script.src = src
      inside.document.head.append(script)
    })
}

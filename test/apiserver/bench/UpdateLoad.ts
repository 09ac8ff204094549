// Updates over HTTP/2 that change something each time, which h2load cannot send: one body for all requests.
// Runs as a process of its own: `node UpdateLoad.ts URL TOKEN REQUESTS STREAMS` reads objects from standard input as JSON and puts each
// with another label, round and round; prints how long it took. Owns this load; refuses to judge.
import { readFileSync } from "node:fs"
import { connect } from "node:http2"

const [url = "", token = "", requests = "0", streams = "1"] = process.argv.slice(2)

interface Named {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly [field: string]: unknown }
}

// SAFETY: the benchmark writes the objects of a list that it got.
const objects = JSON.parse(readFileSync(0, "utf8")) as ReadonlyArray<Named>
const sessions = Array.from({ length: 4 }, () => connect(url, { rejectUnauthorized: false }))
const bodies = objects.map((object) => {
  const { managedFields: _managers, resourceVersion: _version, ...metadata } = object.metadata
  const [before = "", after = ""] = JSON.stringify({
    ...object,
    metadata: { ...metadata, labels: { round: "@" } }
  }).split('"@"')
  const path = `/api/v1/namespaces/${object.metadata.namespace}/pods/${object.metadata.name}`
  return { path, before, after }
})
const total = Number(requests)
let sent = 0
let answered = 0
let failed = 0
const began = performance.now()

const next = (): void => {
  if (sent === total) return
  const { after, before, path } = bodies[sent % bodies.length]
  const body = `${before}"${sent}"${after}`
  const stream = sessions[sent++ % sessions.length].request({
    ":method": "PUT",
    ":path": path,
    authorization: `Bearer ${token}`,
    "content-type": "application/json"
  })
  stream.on("response", (headers) => {
    if (headers[":status"] !== 200) failed++
  })
  stream.on("error", () => failed++)
  stream.on("close", () => {
    if (++answered < total) return next()
    console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, failed }))
    for (const session of sessions) session.close()
  })
  stream.resume()
  stream.end(body)
}
for (let at = 0; at < Number(streams); at++) next()

// The clients of a run on real programs hang up when every call has its answer: what a server sees last is not a request cut short.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, assert, describe, it } from "vitest"
import { anonymous, gvr } from "#kube"
import { Kernel, RealTime } from "#sim"
import { RealClients } from "../../../scenarios/world/RealClients.ts"

const open = new Map<string, () => void>()
const cut: Array<string> = []
const server = createServer((request, response) => {
  const path = request.url ?? ""
  const answer = (): void => {
    open.delete(path)
    response
      .setHeader("content-type", "application/json")
      .end(JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: "a" } }))
  }
  response.on("close", () => {
    if (!response.writableFinished) cut.push(path)
  })
  open.set(path, answer)
})
await new Promise<void>((resume) => server.listen(0, "127.0.0.1", resume))
afterAll(() => void server.close())

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resume) => setTimeout(resume, 5))
}

describe("the clients of a run", () => {
  it("hang up after the last answer, and on watches at once", async () => {
    const { port } = server.address() as AddressInfo
    const kernel = new Kernel({ seed: 1 })
    const time = new RealTime(kernel)
    const none = {
      tlsServerName: undefined,
      insecureSkipTlsVerify: false,
      certificateAuthority: undefined,
      proxyUrl: undefined
    }
    const access = { cluster: { server: `http://127.0.0.1:${port}`, ...none }, user: anonymous, namespace: "default" }
    const clients = new RealClients(() => access, kernel, time)
    const client = clients.client("users")
    const nodes = gvr("", "v1", "nodes")
    client.get({ resource: nodes, namespace: "", name: "slow" }, {}, () => undefined)
    client.watch({ resource: nodes, namespace: "" }, {}, { event: () => undefined, ended: () => undefined })
    await until(() => open.size === 2)
    time.stop()
    let closed = false
    const closing = clients.close().then(() => void (closed = true))
    await new Promise((resume) => setTimeout(resume, 50))
    assert.isFalse(closed)
    assert.isEmpty(cut)
    open.get("/api/v1/nodes/slow")?.()
    await closing
    await until(() => cut.length > 0)
    assert.lengthOf(cut, 1)
    assert.include(cut[0], "watch=")
  })
})

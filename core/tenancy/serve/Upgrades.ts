// exec, attach and port-forward: connections that are upgraded on both sides and then joined, whatever is spoken over them (SPDY,
// WebSocket).
// Owns the joint; refuses to read a byte of what passes.
import { type Duplex, pipeline } from "node:stream"
import { ApiFailure, Failures } from "#kube"
import type { HttpFields, HttpUpgraded } from "#net"
import { answerWhole } from "./Answers.ts"
import type { Forwarding } from "./Forward.ts"
import type { TenantCall } from "./TenantCall.ts"
import { fieldsUp, pathUp, queryUp } from "./UpstreamHead.ts"

/** What an upgrade needs to say to both sides. */
const upgradeFields: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "x-stream-protocol-version"
])

/** A browser's bearer token stands among the subprotocols: it is for this server alone. */
const BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io."

const withoutBearer = (protocols: string): string =>
  protocols
    .split(",")
    .map((each) => each.trim())
    .filter((each) => !each.startsWith(BEARER_PROTOCOL))
    .join(", ")

const upgradeUp = (fields: HttpFields): HttpFields =>
  fields.flatMap(([name, value]) => {
    if (name === "sec-websocket-protocol") return [[name, withoutBearer(value)] as const]
    return upgradeFields.has(name) ? [[name, value] as const] : []
  })

const upgradeDown = (fields: HttpFields): HttpFields =>
  fields.filter(([name]) => {
    const lower = name.toLowerCase()
    return upgradeFields.has(lower) || lower === "sec-websocket-protocol"
  })

const LISTENERS_MAX = 24

/** Joins two connections; each ends with the other. */
const join = (call: TenantCall, client: Duplex, server: Duplex): void => {
  let open = 2
  const ended = (): void => {
    if (--open > 0) return
    client.destroy()
    server.destroy()
    call.finish()
  }
  // Each of the two listens for every way in which either end may go.
  for (const end of [client, server]) end.setMaxListeners(LISTENERS_MAX)
  pipeline(client, server, ended)
  pipeline(server, client, ended)
}

/** Serves a request that must upgrade. */
export const forwardUpgrade = ({ upstream }: Forwarding, call: TenantCall): void => {
  const { exchange } = call
  if (exchange.header("upgrade") === undefined) return call.fail(Failures.badRequest("Upgrade request required"))
  const query = queryUp(call)
  if (query instanceof ApiFailure) return call.fail(query)
  const head = {
    method: exchange.method,
    path: pathUp(call) + query,
    fields: [...fieldsUp(call, { accept: "*/*" }), ...upgradeUp(exchange.fields())]
  }
  const cancel = upstream.upgrade(head, (answer) => {
    if (answer instanceof ApiFailure) return call.fail(answer)
    const { socket } = answer
    if (socket === undefined) return refuse(call, answer)
    const client = exchange.upgrade(upgradeDown(answer.fields))
    if (client === undefined) {
      socket.destroy()
      return call.fail(Failures.badRequest("Upgrade request required"))
    }
    join(call, client, socket)
  })
  call.onOver(cancel)
}

const refuse = (call: TenantCall, { body, fields, status }: HttpUpgraded): void =>
  answerWhole(call, { code: status, fields, body: body ?? new Uint8Array(0) })

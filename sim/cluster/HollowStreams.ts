// What hollow pods answer when somebody reaches through the server to them: logs, exec, attach; never a network connection.
// Owns the texts and refusals; refuses commands, which LocalCommandAdapter.ts runs where whoever serves the cluster has named a program.
import { type StreamRequest, type Streams, unreachable } from "#apiserver"
import {
  type ApiFailure,
  Failures,
  isJsonObject,
  type Json,
  type JsonObject,
  type KubeObject,
  parseRfc3339,
  rfc3339
} from "#kube"
import type { HttpExchange } from "#net"
import { containersOf, podStatus, textOf } from "../nodes/PodStatus.ts"
import { asksForChannels, ChannelSocket, CHANNELS } from "./ChannelSocket.ts"
import { runOnChannels } from "./LocalCommandAdapter.ts"

export interface HollowStreamOptions {
  /** What every container has logged; undefined: one line that says what it is. */
  readonly logText?: string
  /** The program that answers exec, given the command as its arguments; undefined refuses exec. */
  readonly execProgram?: string
}

const containerOf = ({ object, query }: StreamRequest): string =>
  query.get("container") || textOf(containersOf(object)[0]?.["name"])

const stateOf = (pod: KubeObject, container: string): JsonObject => {
  const status = podStatus(pod)
  const all = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"].flatMap((field) => {
    const list: Json | undefined = status[field]
    return Array.isArray(list) ? (list as ReadonlyArray<Json>).filter(isJsonObject) : []
  })
  const state = all.find(({ name }) => name === container)?.["state"]
  return isJsonObject(state) ? state : {}
}

const startedAt = (state: JsonObject): string | undefined => {
  for (const phase of ["running", "terminated"]) {
    const part = state[phase]
    if (isJsonObject(part)) return textOf(part["startedAt"]) || rfc3339(0)
  }
  return undefined
}

const notStarted = (container: string, pod: KubeObject, state: JsonObject): ApiFailure => {
  const { waiting } = state
  const reason = (isJsonObject(waiting) ? textOf(waiting["reason"]) : "") || "ContainerCreating"
  const name = pod.metadata.name ?? ""
  return Failures.badRequest(
    `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} is waiting to start: ${reason}`
  )
}

const numberOf = (text: string): number | undefined => (/^\d+$/.test(text) ? Number(text) : undefined)

/** The text as the query asks for it. */
const selectLines = (text: string, since: string, { query }: StreamRequest): string => {
  let lines = text === "" ? [] : text.replace(/\n$/, "").split("\n")
  const tail = numberOf(query.get("tailLines"))
  if (tail !== undefined) lines = tail === 0 ? [] : lines.slice(-tail)
  if (query.get("timestamps") === "true") {
    const stamp = `${rfc3339(parseRfc3339(since) ?? 0).slice(0, -1)}.000000000Z`
    lines = lines.map((line) => `${stamp} ${line}`)
  }
  const whole = lines.map((line) => `${line}\n`).join("")
  const limit = numberOf(query.get("limitBytes"))
  return limit === undefined ? whole : Buffer.from(whole).subarray(0, limit).toString("utf8")
}

const describe = (pod: KubeObject, container: string): string =>
  `container ${container} of pod ${pod.metadata.namespace ?? ""}/${pod.metadata.name ?? ""} is hollow: it runs nothing\n`

const plain = [["content-type", "text/plain"]] as const

/** Sends the log; with `follow` the answer stays open as long as the client wants, for there is no more to come. */
const sendLog = (request: StreamRequest, exchange: HttpExchange, text: string, finished: () => void): void => {
  if (request.query.get("follow") !== "true") {
    exchange.respond(200, plain, text)
    return finished()
  }
  const body = exchange.start(200, plain)
  body.write(Buffer.from(text))
  exchange.onClose = finished
  exchange.onGoAway = () => {
    body.end()
    finished()
  }
}

const sendAttached = (exchange: HttpExchange, text: string, finished: () => void): boolean => {
  const socket = ChannelSocket.open(exchange, { data: () => undefined, closed: () => undefined, ended: finished })
  socket?.send(CHANNELS.stdout, Buffer.from(text))
  return socket !== undefined
}

const environmentOf = ({ object }: StreamRequest, container: string): Readonly<Record<string, string>> => ({
  POD_NAME: object.metadata.name ?? "",
  POD_NAMESPACE: object.metadata.namespace ?? "",
  POD_IP: textOf(podStatus(object)["podIP"]),
  CONTAINER_NAME: container
})

const refused = ({ object, subresource }: StreamRequest, why: string): ApiFailure =>
  Failures.badRequest(
    `${subresource}: pod ${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""} is hollow, ${why}`
  )

const sendLogs = (
  request: StreamRequest,
  exchange: HttpExchange,
  text: string,
  finished: () => void
): ApiFailure | undefined => {
  const { object, query } = request
  // A container that never restarted has no earlier log.
  if (query.get("previous") === "true") {
    const [container, pod] = [containerOf(request), object.metadata.name ?? ""].map((name) => JSON.stringify(name))
    return Failures.badRequest(`previous terminated container ${container} in pod ${pod} not found`)
  }
  sendLog(request, exchange, text, finished)
  return undefined
}

const LOST = "and the connection is lost"

/** Answers for all hollow pods of a cluster. */
export const hollowStreams = ({ execProgram, logText }: HollowStreamOptions): Streams => ({
  serve: (request, exchange, finished) => {
    const { definition, object, query, subresource } = request
    if (definition.resource !== "pods" || subresource === "proxy") return unreachable(request)
    if (subresource === "portforward") return refused(request, "no port of it is open")
    const container = containerOf(request)
    const state = stateOf(object, container)
    const since = startedAt(state)
    if (since === undefined) return notStarted(container, object, state)
    const text = selectLines(logText ?? describe(object, container), since, request)
    if (subresource === "log") return sendLogs(request, exchange, text, finished)
    const program = subresource === "attach" ? "" : execProgram
    if (program === undefined) {
      return refused(request, "it runs no commands; --exec PROGRAM names one that answers in its place")
    }
    if (!asksForChannels(exchange)) {
      return refused(request, "and it is reached by WebSocket (v5.channel.k8s.io) alone")
    }
    if (subresource === "attach") return sendAttached(exchange, text, finished) ? undefined : refused(request, LOST)
    const environment = environmentOf(request, container)
    const command = { program, args: query.all("command"), environment, stdin: query.get("stdin") === "true" }
    return runOnChannels(exchange, command, finished) ? undefined : refused(request, LOST)
  }
})

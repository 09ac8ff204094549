// Webhook plugins over the machine's HTTP client, with the certificates that their configuration has.
// Owns how a configuration becomes a transport; sockets and time-outs are those of the scheduler's extenders.
import { extenderTransport } from "#scheduling"
import { textOf } from "#apiserver"
import type { PluginWebhook } from "../api/SchedulingProfile.ts"
import type { PluginTransport } from "./PluginCalls.ts"

const TEXTS = ["serverName", "certData", "keyData", "caData"] as const

/** The transport of one plugin; connections are kept for as long as it is. */
export const pluginTransport = ({ tls, urlPrefix }: PluginWebhook): PluginTransport => {
  const given = TEXTS.flatMap((name) => (textOf(tls[name]) === "" ? [] : [[name, textOf(tls[name])] as const]))
  const { post } = extenderTransport({
    urlPrefix,
    enableHTTPS: false,
    tlsConfig: { insecure: tls["insecure"] === true, ...Object.fromEntries(given) }
  })
  return (url, body, timeoutMs, done) =>
    post(url, body, timeoutMs, (answer) => done("json" in answer ? answer : new Error(answer.message)))
}

// Webhooks over HTTPS with node's own client.
// Owns connections (kept open, bounded per authority), the size of answers and the time that a call may take.
import { Agent, request } from "node:https"
import { isIP } from "node:net"
import type { WebhookAnswer, WebhookCaller, WebhookTarget } from "./WebhookCaller.ts"

const MAX_ANSWER_BYTES = 3 * 2 ** 20
/** Connections to webhooks of one authority that are open at once; further calls wait. */
const MAX_SOCKETS = 64
/** Authorities whose connections are kept; at the bound all are closed and kept anew. */
const MAX_AGENTS = 256

/** A caller and the end of its connections. */
export interface HttpsWebhookCaller extends WebhookCaller {
  readonly close: () => void
}

export const httpsWebhookCaller = (): HttpsWebhookCaller => {
  const agents = new Map<string, Agent>()
  const close = (): void => {
    for (const agent of agents.values()) agent.destroy()
    agents.clear()
  }
  const agentFor = ({ caBundle, serverName }: WebhookTarget): Agent => {
    const key = `${serverName}\n${caBundle ?? ""}`
    const held = agents.get(key)
    if (held !== undefined) return held
    if (agents.size >= MAX_AGENTS) close()
    const agent = new Agent({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      ...(caBundle === undefined ? {} : { ca: caBundle }),
      // An address is no server name (RFC 6066 section 3).
      servername: isIP(serverName) === 0 ? serverName : ""
    })
    agents.set(key, agent)
    return agent
  }
  return {
    close,
    post: (target, body, timeoutMs, done) => {
      let answered = false
      const answer = (said: WebhookAnswer): void => {
        if (answered) return
        answered = true
        clearTimeout(timer)
        done(said)
      }
      const bytes = Buffer.from(body)
      const sent = request(
        {
          agent: agentFor(target),
          method: "POST",
          host: target.host,
          port: target.port,
          path: target.path,
          headers: {
            "content-type": "application/json",
            accept: "application/json",
            host: target.serverName,
            "content-length": bytes.length
          }
        },
        (response) => {
          const chunks: Array<Buffer> = []
          let size = 0
          response.on("data", (chunk: Buffer) => {
            size += chunk.length
            if (size > MAX_ANSWER_BYTES) {
              answer({ unreachable: `the answer is longer than ${MAX_ANSWER_BYTES} bytes` })
              sent.destroy()
            } else chunks.push(chunk)
          })
          response.on("error", (error) => answer({ unreachable: error.message }))
          response.on("end", () =>
            answer({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") })
          )
        }
      )
      const timer = setTimeout(() => {
        answer({ unreachable: "context deadline exceeded" })
        sent.destroy()
      }, timeoutMs)
      sent.on("error", (error) => answer({ unreachable: error.message }))
      sent.end(bytes)
    }
  }
}

// Extenders over the machine's HTTP client, with the certificates that their configuration names.
// Owns sockets, TLS and time-outs; refuses retries: an extender that fails is asked again with the pod's next attempt.
import { readFileSync } from "node:fs"
import { request as httpRequest } from "node:http"
import { Agent, request as httpsRequest } from "node:https"
import type { ExtenderFields } from "../config/ConfigurationSchema.ts"
import { ExtenderFailure, type ExtenderTransport } from "./Extender.ts"

const ANSWER_BYTES_MAX = 64 * 1024 * 1024

const pem = (data: string | undefined, file: string | undefined): Buffer | undefined => {
  if (data !== undefined) return Buffer.from(data, "base64")
  return file === undefined ? undefined : readFileSync(file)
}

const agentOf = ({ enableHTTPS, tlsConfig = {} }: ExtenderFields): Agent => {
  const ca = pem(tlsConfig.caData, tlsConfig.caFile)
  const cert = pem(tlsConfig.certData, tlsConfig.certFile)
  const key = pem(tlsConfig.keyData, tlsConfig.keyFile)
  // As the original: HTTPS that is only switched on, without a certificate to check against, checks nothing.
  const insecure = tlsConfig.insecure === true || (enableHTTPS === true && ca === undefined)
  return new Agent({
    keepAlive: true,
    rejectUnauthorized: !insecure,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tlsConfig.serverName === undefined ? {} : { servername: tlsConfig.serverName })
  })
}

/** The transport of one extender. */
export const extenderTransport = (fields: ExtenderFields): ExtenderTransport => {
  const agent = fields.urlPrefix.startsWith("https:") ? agentOf(fields) : undefined
  return {
    post: (url, body, timeoutMs, done) => {
      let over = false
      const end = (answer: { readonly json: unknown } | ExtenderFailure): void => {
        if (over) return
        over = true
        done(answer)
      }
      const text = JSON.stringify(body)
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
      const options = { method: "POST", headers, timeout: timeoutMs }
      const call = agent === undefined ? httpRequest(url, options) : httpsRequest(url, { ...options, agent })
      call.on("timeout", () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)))
      call.on("error", ({ message }) => end(new ExtenderFailure(message)))
      call.on("response", (response) => {
        const chunks: Array<Buffer> = []
        let size = 0
        response.on("data", (chunk: Buffer) => {
          size += chunk.length
          if (size > ANSWER_BYTES_MAX) call.destroy(new Error("the answer is too long"))
          else chunks.push(chunk)
        })
        response.on("error", ({ message }) => end(new ExtenderFailure(message)))
        response.on("end", () => {
          if (response.statusCode !== 200)
            return end(new ExtenderFailure(`failed with extender at URL ${url}, code ${response.statusCode}`))
          try {
            end({ json: JSON.parse(Buffer.concat(chunks).toString("utf8")) })
          } catch {
            end(new ExtenderFailure(`the extender at URL ${url} answers no JSON`))
          }
        })
      })
      call.end(text)
    }
  }
}

// Asks an HTTPS server of this machine whether it is ready.
// Owns that one question; refuses to read what it answers.
import { Effect } from "effect"
import { request } from "node:https"

/** Where to ask, and whom to trust. */
export interface HttpsProbe {
  readonly port: number
  readonly path: string
  /** PEM of the authority that signed the server's certificate. */
  readonly ca: string
}

const TIMEOUT_MS = 2000

/** Whether the server answers 200; never fails. */
export const answersOk = ({ ca, path, port }: HttpsProbe): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const sent = request({ host: "127.0.0.1", port, path, ca, agent: false, timeout: TIMEOUT_MS }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode === 200))
    })
    sent.on("timeout", () => sent.destroy())
    sent.on("error", () => resume(Effect.succeed(false)))
    sent.end()
    return Effect.sync(() => sent.destroy())
  })

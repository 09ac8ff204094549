// A client of a server outside the kernel: whatever it answers enters the kernel as an event of one process.
// Owns that crossing, so that nodes and controllers see one clock and one order; refuses the calls, which the client below makes.
import { answeredClient, type Client } from "#kube"

/** Lets something happen inside the kernel, soon. */
export type Enter = (run: () => void) => void

/** The same client, its answers and watch events by way of `enter`. */
export const enteringClient = (client: Client, enter: Enter): Client => {
  const answered = answeredClient(client, (done) => (answer) => enter(() => done(answer)))
  return {
    ...answered,
    watch: (collection, options, listener) => {
      let stopped = false
      const stop = client.watch(collection, options, {
        event: (event) =>
          enter(() => {
            if (!stopped) listener.event(event)
          }),
        ended: (failure) =>
          enter(() => {
            if (!stopped) listener.ended(failure)
          })
      })
      return () => {
        stopped = true
        stop()
      }
    }
  }
}

// Flushes, once per turn of the event loop's microtask phase, the connections that were written to outside of their own read.
// Owns that list; refuses to own what flushing does. Bounded by the number of open connections.

interface Flushable {
  flush(): void
}

let waiting: Array<Flushable> = []
let scheduled = false

const flushAll = (): void => {
  scheduled = false
  const turn = waiting
  waiting = []
  for (const connection of turn) connection.flush()
}

/** Has `connection` flushed when the running callback, and all that it queued before, is done. */
export const flushLater = (connection: Flushable): void => {
  waiting.push(connection)
  if (scheduled) return
  scheduled = true
  process.nextTick(flushAll)
}

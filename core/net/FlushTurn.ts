// Flushes, once per turn of the event loop's microtask phase, the connections that were written to outside of their own read.
// Those that gather are flushed when all that the poll found readable was handled: what many connections caused goes out in one write.
// Owns both lists; refuses to own what flushing does. Bounded by the number of open connections and of reads in a turn.

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

let gathering: Array<Flushable> = []

const flushGathered = (): void => {
  const turn = gathering
  gathering = []
  for (const connection of turn) connection.flush()
}

/** Has `connection` flushed when every socket that is readable now was read. */
export const flushAfterReads = (connection: Flushable): void => {
  gathering.push(connection)
  if (gathering.length === 1) setImmediate(flushGathered)
}

/** Has `connection` flushed when the running callback, and all that it queued before, is done. */
export const flushLater = (connection: Flushable): void => {
  waiting.push(connection)
  if (scheduled) return
  scheduled = true
  process.nextTick(flushAll)
}

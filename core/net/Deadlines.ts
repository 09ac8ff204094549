// Deadlines of calls: a timer wheel, because most deadlines are long, many, and never reached. Owns the ticking; refuses to
// own what happens at a deadline. Setting and clearing cost O(1); a deadline fires at most one tick late.

/** Length of a tick in milliseconds: how late a deadline may fire. */
const tickMs = 10
/** Slots of the wheel; deadlines further away than one round stay in their slot for more rounds. */
const slots = 1024

/** A pending deadline; hold it to clear it. */
export class Deadline {
  previous: Deadline | undefined
  next: Deadline | undefined
  readonly atTick: number
  readonly fire: () => void

  constructor(atTick: number, fire: () => void) {
    this.atTick = atTick
    this.fire = fire
  }
}

const wheel: Array<Deadline | undefined> = Array.from({ length: slots }, () => undefined)
let pending = 0
let timer: NodeJS.Timeout | undefined
let doneTick = 0

const nowTick = (): number => Math.floor(performance.now() / tickMs)

/** Calls `fire` once, `delayMs` from now, unless cleared. */
export const setDeadline = (delayMs: number, fire: () => void): Deadline => {
  const now = nowTick()
  if (pending++ === 0) {
    doneTick = now
    timer = setInterval(turn, tickMs).unref()
  }
  const deadline = new Deadline(now + Math.max(1, Math.ceil(delayMs / tickMs)), fire)
  const slot = deadline.atTick % slots
  deadline.next = wheel[slot]
  if (deadline.next !== undefined) deadline.next.previous = deadline
  wheel[slot] = deadline
  return deadline
}

/** Takes a deadline back; harmless when it has fired. */
export const clearDeadline = (deadline: Deadline): void => {
  const slot = deadline.atTick % slots
  if (deadline.previous === undefined && deadline.next === undefined && wheel[slot] !== deadline) return
  if (deadline.previous === undefined) wheel[slot] = deadline.next
  else deadline.previous.next = deadline.next
  if (deadline.next !== undefined) deadline.next.previous = deadline.previous
  deadline.previous = undefined
  deadline.next = undefined
  if (--pending > 0) return
  clearInterval(timer)
  timer = undefined
}

const turn = (): void => {
  const now = nowTick()
  const due: Array<Deadline> = []
  // After a long stall one full round visits every slot.
  for (let tick = Math.max(doneTick, now - slots) + 1; tick <= now; tick++) {
    for (let entry = wheel[tick % slots]; entry !== undefined; entry = entry.next) {
      if (entry.atTick <= now) due.push(entry)
    }
  }
  doneTick = now
  for (const deadline of due) {
    clearDeadline(deadline)
    deadline.fire()
  }
}

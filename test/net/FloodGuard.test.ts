// The budgets of a long life: what a peer may do is counted by the time that has passed, not by the connection's age.
import { afterEach, beforeEach, expect, it, vi } from "vitest"
import { FloodGuard, floodBudgets } from "../../core/net/FloodGuard.ts"

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }))
afterEach(() => void vi.useRealTimers())

it("regains a budget while it is not empty yet", () => {
  const guard = new FloodGuard()
  const { burst, perSecond } = floodBudgets.window
  for (let n = 0; n < 3 * burst; n++) {
    vi.advanceTimersByTime(1000 / (perSecond / 10))
    expect(guard.allows("window")).toBe(true)
  }
})

it("refuses what comes faster than the budget regains", () => {
  const guard = new FloodGuard()
  const { burst } = floodBudgets.ping
  for (let n = 0; n < burst; n++) expect(guard.allows("ping")).toBe(true)
  expect(guard.allows("ping")).toBe(false)
})

// A bank on an engine: accounts in the Key table, a counter in Meta that every transfer compares and raises.
// Owns the transfers and the check that no money is made or lost; refuses to disturb anything.
import { Effect } from "effect"
import { type Engine, type Need, Table, WriteBatch } from "../../../core/storage/engine/Engine.ts"
import { commitOn, readOn } from "./FakeEngine.ts"

const ACCOUNTS = 12
const EACH = 1000
/** The row of the n-th account. */
export const account = (n: number): Buffer => Buffer.from(`account/${String(n % ACCOUNTS).padStart(2, "0")}`)
const accounts: Need = { table: Table.Key, start: Buffer.from("account/"), end: Buffer.from("account0"), limit: 0 }
/** The row that every transfer raises. */
export const counter = Buffer.from("revision")
export const counterNeed: Need = { table: Table.Meta, start: counter, end: counter, limit: 1 }
const point = (n: number): Need => ({ table: Table.Key, start: account(n), end: account(n), limit: 1 })
/** A row's number; 0 without a row. */
export const numberOf = (row: Uint8Array | undefined): number =>
  row === undefined ? 0 : Number(Buffer.from(row).toString())
export const rowOf = (n: number): Buffer => Buffer.from(String(n))

export class Bank {
  private readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** A key of the cluster between two accounts, for a bank under the prefix "bank/". */
  border(n: number): Buffer {
    return Buffer.concat([Buffer.from("bank/1"), account(n)])
  }

  get open() {
    const batch = new WriteBatch()
    for (let n = 0; n < ACCOUNTS; n++) batch.put(Table.Key, account(n), rowOf(EACH), true)
    batch.put(Table.Meta, counter, rowOf(1), true)
    return Effect.flatMap(commitOn(this.engine, batch), ({ kind }) =>
      kind === "committed" ? Effect.void : Effect.fail(`the bank could not be opened: ${kind}`)
    )
  }

  /** The n-th transfer; how it ended, which the counter says when the engine cannot. */
  transfer(n: number): Effect.Effect<string, string> {
    const [from, to, amount] = [n, n + 1 + (n % (ACCOUNTS - 1)), 1 + (n % 9)]
    return Effect.gen({ self: this }, function* () {
      const seen = yield* readOn(this.engine, [point(from), point(to), counterNeed], (view) => ({
        from: numberOf(view.get(Table.Key, account(from))),
        to: numberOf(view.get(Table.Key, account(to))),
        revision: numberOf(view.get(Table.Meta, counter))
      }))
      const batch = new WriteBatch()
      batch.expect(Table.Meta, counter, rowOf(seen.revision))
      batch.put(Table.Key, account(from), rowOf(seen.from - amount))
      batch.put(Table.Key, account(to), rowOf(seen.to + amount))
      batch.put(Table.Meta, counter, rowOf(seen.revision + 1))
      const { kind } = yield* commitOn(this.engine, batch)
      if (kind !== "uncertain") return kind
      const after = yield* readOn(this.engine, [counterNeed], (view) => numberOf(view.get(Table.Meta, counter)))
      return after > seen.revision ? "committed" : "failed"
    })
  }

  /** One snapshot of all accounts; fails when the sum is not what it was. */
  get check(): Effect.Effect<{ readonly revision: number }, string> {
    return Effect.gen({ self: this }, function* () {
      const found = yield* readOn(this.engine, [accounts, counterNeed], (view) => {
        let sum = 0
        view.scan(Table.Key, accounts.start, accounts.end, (_key, value) => {
          sum += numberOf(value)
          return true
        })
        return { sum, revision: numberOf(view.get(Table.Meta, counter)) }
      })
      if (found.sum !== ACCOUNTS * EACH) return yield* Effect.fail(`the bank holds ${found.sum}`)
      return found
    })
  }
}

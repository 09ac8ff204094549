// Clients that write until the server is gone: puts, kube-apiserver's guarded transactions, transactions over several keys,
// range deletes, leases. Each has keys of its own and one request under way.
// Owns what is sent and what it would do; refuses to check.
import type { Fields, GrpcDriver } from "../GrpcDriver.ts"
import type { Effects, Ledger } from "./Ledger.ts"

export type Random = () => number

const bytes = (text: string): Buffer => Buffer.from(text)
const pick = <T>(random: Random, items: ReadonlyArray<T>): T => items[Math.floor(random() * items.length)]

interface Attempt {
  readonly name: string
  readonly method: "put" | "txn" | "deleteRange" | "leaseRevoke"
  readonly request: object
  readonly effects: Effects
}

/** Leases as the clients know them: an id is here while its grant was acknowledged and its revocation not sent. */
export interface LeaseBook {
  readonly granted: Map<number, Set<string>>
  readonly revoked: Set<number>
}

export class Writer {
  private readonly id: number
  private readonly driver: GrpcDriver
  private readonly ledger: Ledger
  private readonly leases: LeaseBook
  private readonly random: Random
  private count: number
  private readonly mine: Map<string, number> = new Map()
  private lease = 0

  constructor(options: {
    readonly id: number
    readonly driver: GrpcDriver
    readonly ledger: Ledger
    readonly leases: LeaseBook
    readonly random: Random
    readonly count: number
  }) {
    this.id = options.id
    this.driver = options.driver
    this.ledger = options.ledger
    this.leases = options.leases
    this.random = options.random
    this.count = options.count
  }

  /** Writes until a call fails for want of a server. */
  async run(): Promise<void> {
    for (;;) {
      if (this.lease === 0 && this.random() < 0.2 && !(await this.grant())) return
      const attempt = this.next()
      const settle = this.ledger.begin(attempt.name, attempt.effects)
      const outcome = await this.driver.call(attempt.method, attempt.request)
      if (!("answer" in outcome)) {
        // 14: unavailable, 1: cancelled, 13: the stream was cut: the write may or may not be there.
        if (![1, 13, 14].includes(outcome.code)) {
          this.ledger.problems.push(`${attempt.name}: ${outcome.code} ${outcome.details}`)
        }
        return
      }
      const { header, succeeded } = outcome.answer as { header: { revision: number }; succeeded?: boolean }
      if (succeeded === false) this.ledger.problems.push(`${attempt.name} was refused, and nobody else writes its keys`)
      settle(succeeded === false ? undefined : header.revision)
      this.learn(attempt, header.revision)
    }
  }

  private learn({ name, request }: Attempt, revision: number): void {
    const key = (request as { guarded?: string }).guarded
    if (key !== undefined) this.mine.set(key, revision)
    if (name.startsWith("revoke")) this.lease = 0
  }

  private async grant(): Promise<boolean> {
    const id = 1000 * (this.id + 1) + 100_000 * ++this.count
    const outcome = await this.driver.call("leaseGrant", { id, ttl: 10_000 })
    if (!("answer" in outcome)) return false
    this.leases.granted.set(id, new Set())
    this.lease = id
    return true
  }

  private next(): Attempt {
    const value = `${this.id}:${++this.count}`
    const prefix = `w${this.id}/`
    const kind = this.random()
    if (kind < 0.25) return this.put(`${prefix}put/${Math.floor(this.random() * 5)}`, value)
    if (kind < 0.55) return this.guarded(`${prefix}guarded/${Math.floor(this.random() * 5)}`, value)
    if (kind < 0.75) return several(prefix, value)
    if (kind < 0.85) return cleared(prefix, value)
    if (this.lease !== 0) return kind < 0.95 ? this.leased(`${prefix}leased/${value}`, value) : this.revoke(value)
    return this.put(`${prefix}long/${"x".repeat(2000)}${pick(this.random, ["", "a", "b"])}`, value)
  }

  private put(key: string, value: string): Attempt {
    return {
      name: `put ${value}`,
      method: "put",
      request: { key: bytes(key), value: bytes(value) },
      effects: () => new Map([[key, value]])
    }
  }

  /** Create, update or delete if the key is as last seen: what kube-apiserver sends. */
  private guarded(key: string, value: string): Attempt {
    const seen = this.mine.get(key) ?? this.ledger.get(key)?.modRevision ?? 0
    return {
      name: `guarded ${value}`,
      method: "txn",
      request: {
        guarded: key,
        compare: [{ target: 2, result: 0, key: bytes(key), modRevision: seen }],
        success: [{ requestPut: { key: bytes(key), value: bytes(value) } }],
        failure: [{ requestRange: { key: bytes(key) } }]
      },
      effects: () => new Map([[key, value]])
    }
  }

  private leased(key: string, value: string): Attempt {
    this.leases.granted.get(this.lease)?.add(key)
    return {
      name: `leased ${value}`,
      method: "put",
      request: { key: bytes(key), value: bytes(value), lease: this.lease },
      effects: () => new Map([[key, value]])
    }
  }

  private revoke(value: string): Attempt {
    const keys = this.leases.granted.get(this.lease) ?? new Set()
    this.leases.granted.delete(this.lease)
    this.leases.revoked.add(this.lease)
    const id = this.lease
    // A revocation without keys has no revision of its own, so one key is always there.
    if (keys.size === 0) {
      this.leases.revoked.delete(id)
      this.leases.granted.set(id, keys)
      return this.leased(`w${this.id}/leased/${value}`, value)
    }
    return {
      name: `revoke ${value}`,
      method: "leaseRevoke",
      request: { id },
      effects: (before) => new Map([...keys].filter((key) => before.has(key)).map((key) => [key, undefined]))
    }
  }
}

/** Three keys in one transaction: all or nothing. */
const several = (prefix: string, value: string): Attempt => {
  const keys = ["0", "1", "2"].map((name) => `${prefix}several/${name}`)
  return {
    name: `several ${value}`,
    method: "txn",
    request: {
      compare: [],
      success: keys.map((key) => ({ requestPut: { key: bytes(key), value: bytes(value) } }))
    },
    effects: () => new Map(keys.map((key) => [key, value]))
  }
}

/** The three deleted, and a marker put beside. */
const cleared = (prefix: string, value: string): Attempt => ({
  name: `cleared ${value}`,
  method: "txn",
  request: {
    compare: [],
    success: [
      { requestDeleteRange: { key: bytes(`${prefix}several/`), rangeEnd: bytes(`${prefix}several0`) } },
      { requestPut: { key: bytes(`${prefix}cleared`), value: bytes(value) } }
    ]
  },
  effects: (before) =>
    new Map<string, string | undefined>([
      ...["0", "1", "2"]
        .map((name) => `${prefix}several/${name}`)
        .filter((key) => before.has(key))
        .map((key) => [key, undefined] as const),
      [`${prefix}cleared`, value]
    ])
})

/** Compacts now and then until the server is gone; tells of each that was acknowledged. */
export const compactNowAndThen = async (
  driver: GrpcDriver,
  ledger: Ledger,
  pause: () => Promise<void>,
  isOver: () => boolean
): Promise<void> => {
  while (!isOver()) {
    await pause()
    // Not beyond what the ledger has read, or it could not read the rest.
    const target = ledger.revision - 30
    if (target <= ledger.compacted) continue
    const outcome: Fields = await driver.call("compact", { revision: target })
    if (!("answer" in outcome)) return
    ledger.compacted = target
  }
}

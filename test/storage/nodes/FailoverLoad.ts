// Clients of several nodes that go to another when theirs is gone: writers that note each answer, watchers that go on from where they
// were. Owns what was told to whom and when; what is wrong with it, `judge` says.
import { setTimeout as sleep } from "node:timers/promises"
import { type ClientStream, type GrpcClient, GrpcCode, type GrpcStatus } from "#net"
import { PutRequest, PutResponse, RangeRequest, RangeResponse, WatchRequest, WatchResponse } from "#storage"
import { open } from "./NodeCluster.ts"

const PREFIX = "load/"
const PREFIX_END = "load0"
const DEADLINE_MS = 10_000
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

interface Acknowledged {
  readonly key: string
  readonly value: string
  readonly revision: number
  readonly atMs: number
}

interface Told {
  readonly revision: number
  readonly key: string
  readonly value: string
  readonly atMs: number
}

export interface Failed {
  readonly code: number
  readonly message: string
  readonly atMs: number
}

/** A connection to one of several nodes; the next one when it breaks. */
class Roaming {
  private readonly endpoints: ReadonlyArray<string>
  private at: number
  private current: GrpcClient | undefined

  constructor(endpoints: ReadonlyArray<string>, first: number) {
    this.endpoints = endpoints
    this.at = first
  }

  async client(): Promise<GrpcClient> {
    while (this.current?.ready !== true) {
      this.current?.close()
      this.current = await open(this.endpoints[this.at % this.endpoints.length]).catch(() => undefined)
      if (this.current === undefined) {
        this.at++
        await sleep(10)
      }
    }
    return this.current
  }

  /** Goes to the next node. */
  leave(): void {
    this.current?.close()
    this.current = undefined
    this.at++
  }

  close(): void {
    this.current?.close()
  }
}

const put = (client: GrpcClient, key: string, value: string): Promise<GrpcStatus | number> =>
  new Promise((resolve) => {
    client.unary(
      "/etcdserverpb.KV/Put",
      PutRequest.encode({ key: Buffer.from(key), value: Buffer.from(value) }),
      (error, message) => resolve(error ?? Number(PutResponse.decode(Buffer.from(message)).header?.revision)),
      { deadlineMs: DEADLINE_MS }
    )
  })

export class FailoverLoad {
  readonly acknowledged: Array<Acknowledged> = []
  readonly failed: Array<Failed> = []
  readonly told: Array<Array<Told>> = []
  private readonly endpoints: ReadonlyArray<string>
  private readonly writers: Array<Promise<void>> = []
  private readonly watchers: Array<Promise<void>> = []
  private readonly streams = new Set<ClientStream>()
  private readonly roamers: Array<Roaming> = []
  private writing = true
  private watching = true

  /** Each node gets as many writers, and one watcher of all keys. */
  constructor(endpoints: ReadonlyArray<string>, writersEach: number) {
    this.endpoints = endpoints
    for (const node of endpoints.keys()) {
      this.told.push([])
      this.watchers.push(this.watch(node))
      for (let n = 0; n < writersEach; n++) this.writers.push(this.write(node, `${PREFIX}${node}-${n}`))
    }
  }

  private async write(node: number, key: string): Promise<void> {
    const way = new Roaming(this.endpoints, node)
    this.roamers.push(way)
    for (let count = 0; this.writing; count++) {
      const client = await way.client()
      if (!this.writing) return
      const value = `v${count}`
      const answer = await put(client, key, value)
      const atMs = performance.now()
      if (typeof answer === "number") this.acknowledged.push({ key, value, revision: answer, atMs })
      else {
        this.failed.push({ code: answer.code, message: answer.message, atMs })
        if (!client.ready || answer.code === GrpcCode.DeadlineExceeded) way.leave()
        await sleep(5)
      }
    }
  }

  private async watch(node: number): Promise<void> {
    const way = new Roaming(this.endpoints, node)
    this.roamers.push(way)
    const told = this.told[node]
    let next = 1
    while (this.watching) {
      const client = await way.client()
      await new Promise<void>((resolve) => {
        const stream = client.stream("/etcdserverpb.Watch/Watch", {
          message: (bytes) => {
            const { events } = WatchResponse.decode(Buffer.from(bytes))
            const atMs = performance.now()
            for (const { kv } of events) {
              const revision = Number(kv?.modRevision)
              told.push({
                revision,
                key: text(kv?.key ?? Buffer.alloc(0)),
                value: text(kv?.value ?? Buffer.alloc(0)),
                atMs
              })
              next = revision + 1
            }
          },
          end: () => {
            this.streams.delete(stream)
            resolve()
          }
        })
        this.streams.add(stream)
        stream.send(
          WatchRequest.encode({
            createRequest: {
              key: Buffer.from(PREFIX),
              rangeEnd: Buffer.from(PREFIX_END),
              startRevision: next,
              progressNotify: false,
              filters: [],
              prevKv: false,
              watchId: 0,
              fragment: false
            }
          })
        )
      })
      if (this.watching) way.leave()
    }
  }

  /** Ends the writers, waits until every watcher has been told of the last acknowledged write, and ends those. */
  async stop(): Promise<void> {
    this.writing = false
    await Promise.all(this.writers)
    const last = Math.max(...this.acknowledged.map(({ revision }) => revision))
    const isTold = (): boolean => this.told.every((events) => (events.at(-1)?.revision ?? 0) >= last)
    for (const end = Date.now() + 20_000; !isTold() && Date.now() < end;) await sleep(20)
    this.watching = false
    for (const stream of this.streams) stream.cancel()
    for (const way of this.roamers) way.close()
    await Promise.race([Promise.all(this.watchers), sleep(DEADLINE_MS)])
  }

  /** What is wrong: acknowledged writes that are lost, events that are lost, doubled or out of order. */
  async judge(): Promise<ReadonlyArray<string>> {
    const wrong: Array<string> = []
    const [reference] = this.told
    for (const [node, events] of this.told.entries()) {
      const byRevision = new Map(events.map((event) => [event.revision, event]))
      if (byRevision.size !== events.length)
        wrong.push(`watcher ${node} was told of ${events.length - byRevision.size} events twice`)
      const disordered = events.filter(({ revision }, at) => at > 0 && revision <= events[at - 1].revision)
      if (disordered.length > 0) wrong.push(`watcher ${node} was told out of order at ${disordered[0].revision}`)
      const unheard = this.acknowledged.filter(({ key, revision, value }) => {
        const event = byRevision.get(revision)
        return event?.key !== key || event.value !== value
      })
      if (unheard.length > 0)
        wrong.push(
          `watcher ${node} was not told of ${unheard.length} acknowledged writes, such as ${JSON.stringify(unheard[0])}`
        )
      const gap = events.find(({ revision }, at) => at > 0 && revision !== events[at - 1].revision + 1)
      if (gap !== undefined) wrong.push(`watcher ${node} jumped to revision ${gap.revision}`)
      if (events.at(-1)?.revision !== reference.at(-1)?.revision)
        wrong.push(`watchers 0 and ${node} ended at different revisions`)
    }
    return [...wrong, ...(await this.compareState())]
  }

  /** What the store has in the end must be what the last event of each key says. */
  private async compareState(): Promise<ReadonlyArray<string>> {
    const last = new Map(this.told[0].map(({ key, value }) => [key, value]))
    const way = new Roaming(this.endpoints, 0)
    const client = await way.client()
    const answer = await new Promise<GrpcStatus | RangeResponse>((resolve) => {
      client.unary(
        "/etcdserverpb.KV/Range",
        RangeRequest.encode({ key: Buffer.from(PREFIX), rangeEnd: Buffer.from(PREFIX_END) }),
        (error, message) => resolve(error ?? RangeResponse.decode(Buffer.from(message))),
        { deadlineMs: DEADLINE_MS }
      )
    })
    way.close()
    if (!("kvs" in answer)) return [`the store cannot be read: ${answer.message}`]
    return answer.kvs
      .filter(({ key, value }) => last.get(text(key)) !== text(value))
      .map(({ key, value }) => `${text(key)} is ${text(value)} and the last event said ${last.get(text(key))}`)
  }

  /** The longest time without an acknowledged write, and without an event for some watcher, after a moment; in milliseconds. */
  gaps(sinceMs: number): { readonly writerMs: number; readonly watchMs: number } {
    const longest = (times: ReadonlyArray<number>): number => {
      const after = [sinceMs, ...times.filter((at) => at >= sinceMs).sort((a, b) => a - b)]
      return Math.max(0, ...after.map((at, index) => (index === 0 ? 0 : at - after[index - 1])))
    }
    return {
      writerMs: longest(this.acknowledged.map(({ atMs }) => atMs)),
      watchMs: Math.max(...this.told.map((events) => longest(events.map(({ atMs }) => atMs))))
    }
  }
}

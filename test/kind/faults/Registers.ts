// ConfigMaps as registers: writers create, overwrite, compare and set, read and delete them, and every key's history is judged while it is
// made, by the simulator's checker.
// Owns the operations and what each answer means for the history; refuses to know which faults are under way. An answer that never came,
// or says that the server does not know, may have happened. Keys change every few seconds, so that no history grows past the checker's bounds.
import { type ApiFailure, type Client, gvr, type KubeObject } from "#kube"
import { type RandomStream, RegisterChecker, type RegisterOperation, type Verdict } from "#sim"

const KEYS = 12
const EPOCH_MS = 4000
const PAUSE_MS = 5
const configMaps = gvr("", "v1", "configmaps")

/** What the writers did and what came of it. */
export interface RegisterCounts {
  operations: number
  acknowledged: number
  unknown: number
  undecided: number
}

interface Known {
  readonly version: string
  readonly value: string
}

const valueOf = (object: KubeObject): string =>
  (object as { readonly data?: { readonly value?: string } }).data?.value ?? ""

type Answer = KubeObject | ApiFailure

const isFailure = (answer: Answer): answer is ApiFailure => answer instanceof Error

/** Whether an answer leaves open what happened. */
const isUnknown = ({ code, message }: ApiFailure): boolean => code >= 500 || code === 408 || /refused/.test(message)

export class Registers {
  readonly counts: RegisterCounts = { operations: 0, acknowledged: 0, unknown: 0, undecided: 0 }
  readonly problems: Array<string> = []
  private readonly client: Client
  private readonly namespace: string
  private readonly random: RandomStream
  private readonly checkers = new Map<string, RegisterChecker>()
  private readonly known = new Map<string, Known>()
  private turn = 0
  private stopped = false
  private running: ReadonlyArray<Promise<void>> = []

  constructor(client: Client, namespace: string, random: RandomStream) {
    this.client = client
    this.namespace = namespace
    this.random = random
  }

  start(writers: number): void {
    this.running = Array.from({ length: writers }, () => this.write())
  }

  /** Lets what is under way end; once all is `mended`, reads every key once more, which belongs to its history. */
  async stop(mended: () => Promise<void>): Promise<void> {
    this.stopped = true
    await Promise.all(this.running)
    await mended()
    for (const key of this.checkers.keys()) await this.operate("get", key)
  }

  private async write(): Promise<void> {
    while (!this.stopped) {
      const epoch = Math.floor(performance.now() / EPOCH_MS)
      const key = `r-${epoch}-${this.random.below(KEYS)}`
      await this.operate(this.random.pick(["create", "update", "update", "cas", "cas", "get", "get", "delete"]), key)
      await new Promise((resume) => setTimeout(resume, PAUSE_MS))
    }
  }

  private async operate(deed: "create" | "update" | "cas" | "get" | "delete", key: string): Promise<void> {
    const base = this.known.get(key)
    if (deed === "cas" && base === undefined) return this.operate("get", key)
    let checker = this.checkers.get(key)
    if (checker === undefined) this.checkers.set(key, (checker = new RegisterChecker()))
    const value = `v${this.turn++}`
    this.counts.operations++
    checker.called()
    const calledAt = performance.now()
    const answer = await this.ask(deed, key, value, base)
    const answeredAt = performance.now()
    const operation = this.operationOf(deed, { answer, key, value, base })
    const times = { calledAt, answeredAt: operation.answered ? answeredAt : Number.POSITIVE_INFINITY }
    this.judge(key, checker.ended({ ...operation.means, ...times }), deed)
  }

  private judge(key: string, verdict: Verdict, deed: string): void {
    if (verdict === "not linearizable") this.problems.push(`${key}: not linearizable, seen at a ${deed}`)
    if (verdict === "undecided") this.counts.undecided++
  }

  private ask(deed: string, name: string, value: string, base: Known | undefined): Promise<Answer> {
    const { client, namespace } = this
    const place = { resource: configMaps, namespace }
    const object = (version?: string): KubeObject => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, namespace, ...(version === undefined ? {} : { resourceVersion: version }) },
      data: { value }
    })
    const target = { ...place, name }
    return new Promise((resolve) => {
      if (deed === "create") client.create(place, object(), {}, resolve)
      else if (deed === "update") client.update(target, object(), {}, resolve)
      else if (deed === "cas") client.update(target, object(base?.version), {}, resolve)
      else if (deed === "delete") client.delete(target, {}, resolve)
      else client.get(target, {}, resolve)
    })
  }

  /** What an answer says of the key. */
  private operationOf(
    deed: "create" | "update" | "cas" | "get" | "delete",
    told: { readonly answer: Answer; readonly key: string; readonly value: string; readonly base: Known | undefined }
  ): { readonly means: Omit<RegisterOperation, "calledAt" | "answeredAt">; readonly answered: boolean } {
    const { answer, base, key, value } = told
    const expected = base?.value
    const failure = isFailure(answer) ? answer : undefined
    if (failure !== undefined && isUnknown(failure)) {
      this.counts.unknown++
      const kinds = { create: "cas", update: "write", cas: "cas", get: "read", delete: "delete" } as const
      return { means: { kind: kinds[deed], value, ...(deed === "cas" ? { expected } : {}) }, answered: false }
    }
    this.counts.acknowledged++
    if (failure === undefined && deed !== "delete") this.learn(key, answer as KubeObject)
    const absent = { kind: "read" as const, seen: undefined }
    switch (deed) {
      case "create":
        return { means: { kind: "cas", expected: undefined, value, done: failure === undefined }, answered: true }
      case "update":
        return { means: failure === undefined ? { kind: "write", value } : absent, answered: true }
      case "cas":
        if (failure?.code === 404) return { means: absent, answered: true }
        return { means: { kind: "cas", expected, value, done: failure === undefined }, answered: true }
      case "delete":
        return { means: { kind: "delete", done: failure === undefined }, answered: true }
      case "get":
        if (failure !== undefined) return { means: absent, answered: true }
        return { means: { kind: "read", seen: valueOf(answer as KubeObject) }, answered: true }
    }
  }

  private learn(key: string, object: KubeObject): void {
    this.known.set(key, { version: object.metadata.resourceVersion ?? "", value: valueOf(object) })
  }
}

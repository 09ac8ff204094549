// What is equal between our scheduler's answers and the real one's, counted, and each difference with what is needed to look into it.
// Owns the counts and the words; refuses to excuse a difference.
import type { KubeObject } from "#kube"
import type { Answer } from "./OurScheduler.ts"

/** What the real scheduler made of a pod. */
export interface Outcome {
  /** "" when none was found. */
  readonly node: string
  readonly message: string
  readonly nominated: string
}

export interface Played {
  readonly seed: number
  readonly pod: KubeObject
  readonly answer: Answer
  readonly outcome: Outcome
  /** Pods that the real scheduler evicts for this one. */
  readonly victims: ReadonlyArray<KubeObject>
  /** Pods that ours would evict on the node that the real one promised. */
  readonly expected: ReadonlyArray<KubeObject>
  readonly isBest: (node: string) => boolean
}

export type Question = "verdict" | "node" | "message" | "nominated" | "victims" | "promised"

export interface Difference {
  readonly question: Question
  readonly seed: number
  readonly pod: string
  readonly text: string
}

interface Share {
  readonly equal: number
  readonly of: number
}

/** What is to be said of the pod when the real scheduler has promised it this node. */
const messageOf = ({ candidates, message }: Answer, nominated: string): string => {
  const chosen = candidates.find(({ name }) => name === nominated)
  if (chosen === undefined) return message
  const found = `found a potential placement for pod on node ${nominated}, preempting ${chosen.victims.length} victims`
  return `${message} preemption: ${found}`
}

const names = (pods: ReadonlyArray<KubeObject>): string =>
  pods
    .map(({ metadata: { name, namespace } }) => `${namespace}/${name}`)
    .sort()
    .join()

const lineOf = ({ explanation }: Answer): string =>
  explanation.best.map(({ node, scores, total }) => `${node}: ${total} ${JSON.stringify(scores)}`).join("\n    ")

export class Tally {
  readonly differences: Array<Difference> = []
  /** Nodes ruled out, by plugin and reason. */
  readonly ruledOut = new Map<string, number>()
  /** Decisions in which a plugin's scores were not the same for all nodes. */
  readonly scored = new Map<string, number>()
  private readonly counts = new Map<Question, { equal: number; of: number }>()

  share(question: Question): Share {
    return this.counts.get(question) ?? { equal: 0, of: 0 }
  }

  add(played: Played): void {
    const { answer, outcome, victims } = played
    this.note(answer)
    const fits = outcome.node !== ""
    const same = fits === answer.best.size > 0
    this.count(
      "verdict",
      same,
      played,
      `the real one: ${outcome.node === "" ? outcome.message : outcome.node}\n  ours: ${answer.message}`
    )
    if (!same) return
    if (fits) {
      const isBest = answer.best.has(outcome.node)
      return this.count("node", isBest, played, `the real one: ${outcome.node}\n  ours: ${lineOf(answer)}`)
    }
    const expectedText = messageOf(answer, outcome.nominated)
    const texts = `the real one: ${outcome.message}\n  ours:         ${expectedText}`
    this.count("message", outcome.message === expectedText, played, texts)
    if (outcome.nominated === "" && answer.candidates.length === 0) return
    const told = answer.candidates.map((one) => `${one.name} (${names(one.victims.map(({ pod }) => pod))})`).join("; ")
    const isBest = played.isBest(outcome.nominated)
    this.count("nominated", isBest, played, `the real one: ${outcome.nominated}\n  ours: ${told}`)
    if (!answer.candidates.some(({ name }) => name === outcome.nominated)) return
    const [theirs, expected] = [names(victims), names(played.expected)]
    this.count(
      "victims",
      expected === theirs,
      played,
      `on ${outcome.nominated}, the real one: ${theirs}\n  ours: ${expected}`
    )
  }

  /** Where a promised pod went once its victim was gone. */
  promised(seed: number, pod: KubeObject, { ours, real }: { readonly ours: string; readonly real: string }): void {
    this.count("promised", ours === real && real !== "none", { seed, pod }, `the real one: ${real}\n  ours: ${ours}`)
  }

  private note({ explanation: { before, best, ruledOut } }: Answer): void {
    const add = (map: Map<string, number>, key: string, by: number): void => void map.set(key, (map.get(key) ?? 0) + by)
    if (before !== undefined)
      add(this.ruledOut, `${before.plugin}: ${before.reasons.join(", ").replace(/"[^"]*"/g, '"…"')}`, 1)
    for (const { nodes, plugin, reason } of ruledOut)
      // What the pod's own naming of nodes leaves out is of no plugin.
      add(this.ruledOut, `${plugin === "" ? "(before all)" : plugin}: ${reason.replace(/\{[^}]*\}/, "{…}")}`, nodes)
    for (const plugin of Object.keys(best[0]?.scores ?? {}))
      if (new Set(best.map(({ scores }) => scores[plugin])).size > 1) add(this.scored, plugin, 1)
  }

  private count(question: Question, equal: boolean, { pod, seed }: Pick<Played, "pod" | "seed">, text: string): void {
    const counted = this.counts.get(question) ?? { equal: 0, of: 0 }
    this.counts.set(question, { equal: counted.equal + (equal ? 1 : 0), of: counted.of + 1 })
    if (equal) return
    const { labels, name } = pod.metadata
    this.differences.push({ question, seed, pod: JSON.stringify({ name, labels, spec: pod.spec }), text })
  }
}

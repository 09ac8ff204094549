// The page that tells how our scheduler's decisions compare with the real one's.
// Owns its words and tables; the figures come from the tally, and a difference that it does not explain is shown as it is.
import type { Question, Tally } from "./Tally.ts"

const questions: ReadonlyArray<readonly [Question, string]> = [
  ["verdict", "Whether a pod finds a node"],
  ["node", "The chosen node is one of our best"],
  ["message", "What is said of a pod that finds none, word for word, preemption's part too"],
  ["nominated", "The node that is promised after preemption is one of our best"],
  ["victims", "The pods that are evicted there"],
  ["promised", "Where the promised pod is bound once its only victim is gone"]
]

const percent = (equal: number, of: number): string => (of === 0 ? "–" : `${Number(((100 * equal) / of).toFixed(2))} %`)

const counted = (map: ReadonlyMap<string, number>): ReadonlyArray<readonly [string, number]> =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))

const rows = (map: ReadonlyMap<string, number>): string =>
  counted(map)
    .map(([key, count]) => {
      const [plugin, ...reason] = key.split(": ")
      return `| ${[plugin, ...(reason.length === 0 ? [] : [reason.join(": ")])].join(" | ")} | ${count} |`
    })
    .join("\n")

const differences = (tally: Tally): string =>
  tally.differences.length === 0
    ? "None in this run."
    : tally.differences
        .map(
          ({ pod, question, seed, text }) =>
            `REAL_SEED=${seed}, ${question}:\n\n    ${text.replaceAll("\n", "\n    ")}\n    ${pod}`
        )
        .join("\n\n")

/** The page in Markdown; `play` says how it was played. */
export const pageOf = (tally: Tally, play: { readonly clusters: number; readonly seed: number }): string => {
  const { clusters, seed } = play
  const table = questions
    .map(([question, title]) => {
      const { equal, of } = tally.share(question)
      return `| ${title} | ${of} | ${equal} | ${percent(equal, of)} |`
    })
    .join("\n")
  return `# Our scheduler beside kube-scheduler

kube-scheduler 1.37.2 in its default configuration, on a real kube-apiserver and etcd, was given ${clusters} random clusters
of two to seven nodes and their pods, one at a time; ours was given the same stored objects and asked before the real one
had answered. The real one's choice then stands for both.

    REAL_CLUSTERS=${clusters} REAL_SEED=${seed} REAL_REPORT=reports/published/scheduler-beside-kube-scheduler.md \\
      npx vitest run --config test/vitest.config.ts test/scheduling/real

A node is one of our best if no other has a higher total: kube-scheduler draws among equals, and so do we. Likewise for the
node to be emptied, where the rules of choice (broken budgets, the victims' priorities, their number, when they began)
leave several.

| Question | Asked | Equal | Share |
|---|---|---|---|
${table}

## Differences

${differences(tally)}

What earlier runs found, and what came of it:

- Room is scored for the pod that comes by the requests of its containers, even where the pod as a whole asks for more
  (\`spec.resources\`): kube-scheduler 1.37 does not switch whole-pod requests on for NodeResourcesFit's score. Ours counted
  the whole, and so did its reference in the tests; both follow now.
- A pod that is turned down before any node is looked at (a claim that is not there, or not bound) is told "not found" instead
  of what preemption would say: DynamicResources is asked first and misses what it would have noted of the pod. Ours says
  the same now, unless a profile leaves DynamicResources out.
- Preemption's trial takes a pod that is on its way out off the counts of topology spread, though it was never in them. Ours left
  it out of both; it does as kube-scheduler does now.
- Image locality counts the nodes that have an image. kube-scheduler takes that count anew for a node only when the node or
  its pods change, so right after nodes have come it may score by an older count; ours counts as things are. This difference
  stays. The comparison makes all nodes known before it opens them, so that both count the same.

## What was exercised

Nodes ruled out (for reasons that concern the pod itself: pods), by plugin and reason:

| Plugin | Reason | Times |
|---|---|---|
${rows(tally.ruledOut)}

Pods for which a plugin's scores were not the same on all nodes that would do:

| Plugin | Pods |
|---|---|
${rows(tally.scored)}

Volumes are bound as the volume controller would, pods begin as with a kubelet; victims either linger on their node or go.
Not compared here: promised pods with several victims, whose room comes in parts; scheduling gates (nothing is decided), extenders, resource
claims and pod groups, and clusters so large that kube-scheduler looks at a part of the nodes only.
`
}

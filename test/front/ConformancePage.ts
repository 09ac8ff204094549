// Makes a page of two conformance runs, one directly and one through a front:
// `node test/front/ConformancePage.ts gateway|tenancy DIRECT.json|- FRONT.json > PAGE.md`; with - the direct run is the list itself, which
// a real control plane passes.
// Owns the page and the reasons of what a tenant cannot have; a spec without a reason is named as a mistake.
import { readFileSync } from "node:fs"
import { conformanceMarkdown, type ConformanceReport } from "../../scenarios/conformance/ConformanceReport.ts"
import { tenantReasons } from "../tenancy/judges/ConformanceReasons.ts"

const [front = "", direct = "-", through = ""] = process.argv.slice(2)

// SAFETY: both are written by `wharf conformance`.
const read = (file: string): ConformanceReport => JSON.parse(readFileSync(file, "utf8")) as ConformanceReport

const report = read(through)
const states = new Map(direct === "-" ? [] : read(direct).specs.map(({ name, state }) => [name, state] as const))
const { asked, passed } = report.counts
const unlike = report.specs.filter(({ name, state }) => states.size > 0 && states.get(name) !== state)
const gatewayReasons: typeof tenantReasons = [
  [/compacted away/, "It waits about nine minutes for a compaction, longer than this run was given."]
]
const reasons = front === "tenancy" ? tenantReasons : gatewayReasons
const reasonOf = (name: string): string =>
  reasons.find(([pattern]) => pattern.test(name))?.[1] ?? "**A mistake of ours, open.**"

const titles: Readonly<Record<string, readonly [string, string]>> = {
  gateway: [
    "Kubernetes' own conformance tests through the gateway",
    "specs that a real control plane with hollow nodes passes directly, run through `wharf serve gateway`"
  ],
  tenancy: [
    "Kubernetes' own conformance tests as a tenant",
    "specs that a real control plane with hollow nodes passes, run by a tenant's administrator through `wharf serve tenancy`"
  ]
}
const [title, what] = titles[front] ?? [front, front]

/** What was asked, as the suite's own command says it. */
const only = / --only '[^']*'/.exec(report.command)?.[0] ?? ""

const lead = [
  `# ${title}`,
  "",
  `${passed} of ${asked} specs of Kubernetes ${report.kubernetes} pass (${((100 * passed) / asked).toFixed(1)} %): ${what}.`,
  "The cluster: kube-apiserver, kube-controller-manager, kube-scheduler 1.37.2 on etcd 3.7.3 with five hollow nodes by kwok.",
  ...(states.size === 0
    ? []
    : [
        "",
        `Directly: ${[...states.values()].filter((state) => state === "passed").length} pass. With another result than directly: ${unlike.length}.`
      ]),
  "",
  `Started ${report.startedAt}, ${Math.round(report.seconds)} s. Again:`,
  "",
  "```sh",
  `node test/front/WithConformance.ts ${front}${only} --out DIR`,
  `node test/front/ConformancePage.ts ${front} ${states.size === 0 ? "-" : "DIRECT/conformance.json"} DIR/conformance.json`,
  "```"
]
process.stdout.write(conformanceMarkdown(report, { lead, why: reasonOf }))

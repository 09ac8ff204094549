// The tour as a page: every command, whether both servers said the same, and why not where they did not.
// Owns the page's form; refuses to compare anything.
import type { Compared } from "./Tour.ts"

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

export interface TourWords {
  readonly title: string
  /** Lines that say what was compared and how to do it again. */
  readonly about: ReadonlyArray<string>
}

const ofApiServer: TourWords = {
  title: "The kubectl tour",
  about: [
    "Every command below was run by kubectl 1.37.2 against `wharf serve apiserver` and against a real kube-apiserver 1.37.2 on etcd,",
    "each with a real kube-controller-manager 1.37.2. What was said was compared line by line, exit codes included, after times, uids,",
    "resource versions, random names, addresses and ports were made alike. `node test/apiserver/kubectl/WriteTour.ts` plays it again."
  ]
}

/** Markdown. */
export const tourTable = (compared: ReadonlyArray<Compared>, words = ofApiServer): string => {
  const reasons = [...new Set(compared.flatMap(({ accepted }) => (accepted === undefined ? [] : [accepted.reason])))]
  const verdict = ({ accepted, same }: Compared): string =>
    same ? "same" : accepted === undefined ? "**different**" : `accepted ${reasons.indexOf(accepted.reason) + 1}`
  const same = compared.filter((one) => one.same).length
  const known = compared.filter((one) => one.accepted !== undefined).length
  const rows = compared.map((one) => `| ${one.scene} | \`${cell(one.command)}\` | ${verdict(one)} |`)
  return [
    `# ${words.title}`,
    "",
    ...words.about,
    "",
    `${compared.length} commands: ${same} the same, ${known} with an accepted difference, ${compared.length - same - known} different.`,
    "",
    "## Accepted differences",
    "",
    ...(reasons.length === 0 ? ["None."] : reasons.map((reason, at) => `${at + 1}. ${reason}`)),
    "",
    "## Commands",
    "",
    "| Scene | Command | |",
    "|---|---|---|",
    ...rows,
    ""
  ].join("\n")
}

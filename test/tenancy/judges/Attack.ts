// One request of the attacker and how it is judged: no byte of anybody else comes back, a foreign name is answered like a name that nobody
// has, and the same request by who may make it succeeds or shows the byte, so that the first two say something.
// Owns that judgement; the requests are in attacks/.
import type { Asked, Asking, Reply } from "../../front/Access.ts"
import { ATTACKER, PLATFORM_MARK, VAULT_UPSTREAM, VICTIM, VICTIM_MARK } from "./Parties.ts"

export interface Demand extends Asked {
  readonly path: string
}

/** Who proves that a request means something: the victim through the front, the platform at the cluster, or the attacker about itself. */
export type Prover = "victim" | "platform" | "self"

export interface Control extends Demand {
  readonly by: Prover
  /** What must be in the answer; by default nothing but success is asked for. */
  readonly shows?: string
  /** Where upstream itself only goes so far. */
  readonly code?: number
}

export interface Attack extends Demand {
  readonly name: string
  readonly control: Control
  /** Codes that the attacker may be answered with; by default all below 500. */
  readonly codes?: ReadonlyArray<number>
}

export type Provers = Readonly<Record<Prover, Asking>>

export interface Judged {
  readonly name: string
  /** What went wrong; empty for a wall that stands. */
  readonly wrong: ReadonlyArray<string>
  readonly code: number
}

/** Texts that must never come to the attacker unless it said them itself. */
const FOREIGN = [VICTIM_MARK, PLATFORM_MARK, VAULT_UPSTREAM, `${VICTIM}:`, `tenant:${VICTIM}`]
/** What upstream calls the attacker's own; the front's business alone. */
const OWN_PREFIX = `${ATTACKER}-`

const said = ({ body, code, headers }: Reply): string =>
  `${code}\n${headers.map((pair) => pair.join(": ")).join("\n")}\n${body.toString("latin1")}`

const asked = ({ body, headers, path }: Demand): string => {
  const text = body === undefined ? "" : typeof body === "string" ? body : Buffer.from(body).toString("latin1")
  return `${decodeURIComponent(path.replaceAll(/%(?![0-9a-fA-F]{2})/g, "%25"))}\n${JSON.stringify(headers ?? {})}\n${text}`
}

const DECOYS: ReadonlyArray<readonly [string, string]> = [
  [VICTIM_MARK, "bnope7q"],
  [PLATFORM_MARK, "pnope9z"]
]

const swap = (text: string, back = false): string =>
  DECOYS.reduce((result, [mark, decoy]) => result.replaceAll(back ? decoy : mark, back ? mark : decoy), text)

/** The same request for a thing that nobody has; undefined when it names nothing foreign. */
const decoyOf = (demand: Demand): Demand | undefined => {
  const swapped = {
    ...demand,
    path: swap(demand.path),
    ...(typeof demand.body === "string" ? { body: swap(demand.body) } : {}),
    ...(demand.headers === undefined
      ? {}
      : { headers: JSON.parse(swap(JSON.stringify(demand.headers))) as NonNullable<Demand["headers"]> })
  }
  return asked(swapped) === asked(demand) ? undefined : swapped
}

/** What two answers may differ in though they say the same. */
const alike = ({ body, code }: Reply): string => {
  const text = swap(body.toString("utf8"), true)
    .replaceAll(/"uid":"[^"]*"/g, '"uid":""')
    .replaceAll(/"(resourceVersion|continue)":"[^"]*"/g, '"$1":""')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME")
    .replaceAll(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, "TOKEN")
  // Rules come in the order of a map, which is none: the same words are the same answer.
  return `${code} ${(text.match(/[^\s"',:;{}[\]]+/g) ?? []).toSorted().join(" ")}`
}

const failed = (error: unknown): Reply => ({
  code: 0,
  headers: [],
  body: Buffer.from(error instanceof Error ? error.message : String(error))
})

const controlled = async (control: Control, provers: Provers): Promise<ReadonlyArray<string>> => {
  const reply = await provers[control.by].ask(control.path, control).catch(failed)
  const text = said(reply)
  const start = `control by ${control.by} of ${control.method ?? "GET"} ${control.path}`
  const isGood = control.code === undefined ? reply.code >= 200 && reply.code < 300 : reply.code === control.code
  if (!isGood) return [`${start}: ${reply.code} ${reply.body.toString().slice(0, 300)}`]
  const shows = control.shows ?? ""
  return text.includes(shows) ? [] : [`${start} does not show ${shows}`]
}

/** Asks, compares and controls. */
export const judge = async (attack: Attack, attacker: Asking, provers: Provers): Promise<Judged> => {
  const reply = await attacker.ask(attack.path, attack).catch(failed)
  const wrong: Array<string> = []
  const own = asked(attack)
  const heard = said(reply)
  for (const text of [...FOREIGN, OWN_PREFIX]) {
    if (!heard.includes(text) || own.includes(text)) continue
    const at = heard.indexOf(text)
    wrong.push(`hears ${text}: …${heard.slice(Math.max(0, at - 120), at + 80)}…`)
  }
  if (reply.code >= 500) wrong.push(`is answered with ${reply.code}: ${reply.body.toString().slice(0, 200)}`)
  if (attack.codes !== undefined && !attack.codes.includes(reply.code)) {
    wrong.push(
      `is answered with ${reply.code} and not ${attack.codes.join("/")}: ${reply.body.toString().slice(0, 200)}`
    )
  }
  const decoy = decoyOf(attack)
  if (decoy !== undefined) {
    const other = await attacker.ask(decoy.path, decoy).catch(failed)
    if (alike(other) !== alike(reply)) {
      wrong.push(`tells what is there from what is not: ${alike(reply).slice(0, 300)} | ${alike(other).slice(0, 300)}`)
    }
  }
  wrong.push(...(await controlled(attack.control, provers)))
  return { name: attack.name, wrong, code: reply.code }
}

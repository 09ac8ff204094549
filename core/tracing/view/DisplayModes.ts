// The display modes that people choose from: every base mode alone and with each set of modifiers that go together.
// Owns their ids and names; refuses to build trees.
import { type Extension, extensionOf } from "../extension/ExtensionArgs.ts"
import { exclusive, type LinkSelector, linkSelector, unionOf } from "./LinkSelector.ts"
import { type Modifier, type Step, stepsOf, type TransformFile } from "./TransformConfig.ts"
import { TransformInvalid } from "./TransformInvalid.ts"

export interface DisplayMode {
  /** 8 hex digits: the base's, or-ed with those of its modifiers. */
  readonly id: string
  /** Like "tracing" or "tracing [owned objects]". */
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  readonly selector: LinkSelector
  /** Other systems whose traces are grafted in when a trace is opened. */
  readonly extensions: ReadonlyArray<Extension>
}

/** Modes that a file may mean in all; more are refused, since they are a list that people choose from. */
const MODES_MAX = 1024

export class DisplayModes {
  readonly default: DisplayMode
  /** The default first, then by id. */
  readonly all: ReadonlyArray<DisplayMode>
  private readonly byId = new Map<string, DisplayMode>()
  private readonly byName = new Map<string, DisplayMode>()

  /** Throws TransformInvalid. */
  constructor(file: TransformFile) {
    const batches = new Map<string, ReadonlyArray<Step>>()
    for (const [at, { name, steps }] of (file.batches ?? []).entries()) {
      batches.set(name, stepsOf(steps, batches, `batches[${at}].steps`))
    }
    const sets = compatible(Object.entries(file.modifiers ?? {}))
    if (sets.length * file.configs.length > MODES_MAX) {
      throw new TransformInvalid({
        field: "modifiers",
        rule: `configs and modifiers give more than ${MODES_MAX} modes`
      })
    }
    for (const [at, base] of file.configs.entries()) {
      const steps = stepsOf(base.steps, batches, `configs[${at}].steps`)
      for (const set of sets) this.add(modeOf(base.id, base.name, steps, set), `configs[${at}]`)
    }
    const chosen = this.byId.get(file.defaultConfig)
    if (chosen === undefined) throw new TransformInvalid({ field: "defaultConfig", rule: "no mode has this id" })
    this.default = chosen
    const others = [...this.byId.values()].filter((mode) => mode !== chosen)
    this.all = [chosen, ...others.sort((a, b) => (a.id < b.id ? -1 : 1))]
  }

  ofId(id: string): DisplayMode | undefined {
    return this.byId.get(id)
  }

  ofName(name: string): DisplayMode | undefined {
    return this.byName.get(name)
  }

  private add(mode: DisplayMode, field: string): void {
    if (this.byId.has(mode.id)) throw new TransformInvalid({ field: `${field}.id`, rule: `${mode.id} is given twice` })
    if (this.byName.has(mode.name)) {
      throw new TransformInvalid({ field: `${field}.name`, rule: `${mode.name} is given twice` })
    }
    this.byId.set(mode.id, mode)
    this.byName.set(mode.name, mode)
  }
}

type Named = readonly [mask: string, modifier: Modifier]

/** Every set of modifiers without two of one class, the empty one first. */
const compatible = (modifiers: ReadonlyArray<Named>): ReadonlyArray<ReadonlyArray<Named>> => {
  const sets: Array<ReadonlyArray<Named>> = [[]]
  const sorted = modifiers.toSorted(([a, x], [b, y]) => (x.priority ?? 0) - (y.priority ?? 0) || (a < b ? -1 : 1))
  for (const added of sorted) {
    const fitting = sets.filter((set) => set.every(([, modifier]) => classOf(modifier) !== classOf(added[1])))
    sets.push(...fitting.map((set) => set.concat([added])))
    if (sets.length > MODES_MAX) break
  }
  return sets
}

/** Modifiers of one class exclude each other; those of different kinds never do. */
const classOf = ({ args, modifierName }: Modifier): string => `${modifierName}/${args.modifierClass ?? ""}`

const modeOf = (base: string, name: string, steps: ReadonlyArray<Step>, set: ReadonlyArray<Named>): DisplayMode => {
  let id = Number.parseInt(base, 16)
  for (const [mask] of set) id |= Number.parseInt(mask, 16)
  const names = set.map(([, { displayName }]) => displayName)
  const selectors = set.flatMap(([, modifier]) =>
    modifier.modifierName === "link-selector" ? [linkSelector(modifier.args)] : []
  )
  const extensions = set.flatMap(([mask, modifier]) =>
    modifier.modifierName === "extension" ? [extensionOf(modifier.args, `modifiers.${mask}.args`)] : []
  )
  return {
    id: (id >>> 0).toString(16).padStart(8, "0"),
    name: names.length === 0 ? name : `${name} [${names.join("+")}]`,
    steps,
    selector: selectors.length === 0 ? exclusive : unionOf(selectors),
    extensions
  }
}

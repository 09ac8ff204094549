// Why a node will not do: verdicts of filter plugins, numbered so that they can be counted by node.
// Owns the numbering and kube-scheduler's reasons; verdict 0 is "it will do".

export interface Verdict {
  readonly id: number
  readonly plugin: string
  /** Whether evicting pods from the node could help: Unschedulable, not UnschedulableAndUnresolvable. */
  readonly resolvable: boolean
  readonly reasons: ReadonlyArray<string>
}

/** The verdict that a node will do. */
export const FITS = 0

export class Verdicts {
  private readonly all: Array<Verdict> = [{ id: FITS, plugin: "", resolvable: false, reasons: [] }]
  private readonly byKey = new Map<string, number>()

  get count(): number {
    return this.all.length
  }

  get(id: number): Verdict {
    return this.all[id]
  }

  /** The number of a verdict: the same for the same plugin, kind and reasons. */
  id(plugin: string, resolvable: boolean, reasons: ReadonlyArray<string>): number {
    const key = `${plugin}\n${resolvable}\n${reasons.join("\n")}`
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    const id = this.all.length
    this.all.push({ id, plugin, resolvable, reasons })
    this.byKey.set(key, id)
    return id
  }
}

/** The text of a failure to find a node (FitError): "0/5 nodes are available: 3 Insufficient cpu, 2 node(s) were unschedulable." */
export const fitErrorText = (nodeCount: number, counts: ReadonlyMap<string, number>): string => {
  const parts = Array.from(counts, ([reason, count]) => `${count} ${reason}`).sort(byBytes)
  return `0/${nodeCount} nodes are available:${parts.length === 0 ? "" : ` ${parts.join(", ")}.`}`
}

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

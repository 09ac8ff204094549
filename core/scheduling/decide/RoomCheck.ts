// What one node's own state says to one shape of pods: does it fit (ports, resources), and how well (resources, images).
// Owns the plugins NodePorts, NodeResourcesFit, NodeResourcesBalancedAllocation and ImageLocality; called for each change of each node,
// so it allocates nothing where a pod fits.
import type { Profile, WeightedResource } from "../config/Profile.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import type { PodShape } from "../pod/PodShape.ts"
import { addExact, amountOf, CPU, type Exact, isExtended, MEMORY, subExact } from "../pod/ResourceVector.ts"
import { balanceScore, fitScorer, type FitScorer, imageScore } from "./ResourceScores.ts"
import { FITS, type Verdicts } from "./Verdicts.ts"

export const PORTS_TAKEN = "node(s) didn't have free ports for the requested pod ports"

interface Weighed {
  readonly numbers: ReadonlyArray<number>
  /** What the pod adds to each. */
  readonly amounts: ReadonlyArray<Exact>
}

export class RoomCheck {
  private readonly cluster: Cluster
  private readonly shape: PodShape
  private readonly verdicts: Verdicts
  private readonly checksPorts: boolean
  private readonly checksFit: boolean
  private readonly numbers: Array<number> = []
  private readonly amounts: Array<Exact> = []
  private readonly asksAnything: boolean
  private readonly fitWeight: number
  private readonly balanceWeight: number
  private readonly imageWeight: number
  private readonly scorer: FitScorer
  private readonly fit: Weighed
  private readonly balance: Weighed
  private readonly requested: Array<Exact> = []
  private readonly allocated: Array<Exact> = []
  private readonly allocatable: Array<Exact> = []

  constructor(cluster: Cluster, shape: PodShape, profile: Profile, verdicts: Verdicts) {
    this.cluster = cluster
    this.shape = shape
    this.verdicts = verdicts
    this.checksPorts = profile.filters.has("NodePorts") && shape.ports.length > 0
    this.checksFit = profile.filters.has("NodeResourcesFit")
    const { amounts, numbers } = shape.requests
    let asks = false
    for (let at = 0; at < numbers.length; at++) {
      if (amounts[at] <= 0) continue
      asks = true
      if (!ignores(profile, cluster.shapes.resources.names[numbers[at]])) {
        this.numbers.push(numbers[at])
        this.amounts.push(amounts[at])
      }
    }
    this.asksAnything = asks
    this.fitWeight = profile.weights.get("NodeResourcesFit") ?? 0
    this.imageWeight = profile.weights.get("ImageLocality") ?? 0
    this.scorer = fitScorer(profile.fit)
    this.fit = this.weighed(profile.fit.resources, shape.scored)
    this.balance = this.weighed(profile.balanced, shape.requests)
    const isBestEffort = this.balance.amounts.every((amount) => amount == 0)
    this.balanceWeight = isBestEffort ? 0 : (profile.weights.get("NodeResourcesBalancedAllocation") ?? 0)
  }

  /** Why the node has no room, or FITS. */
  verdict(node: number): number {
    const { cluster } = this
    if (this.checksPorts && cluster.rows[node].ports.conflicts(this.shape.ports))
      return this.verdicts.id("NodePorts", true, [PORTS_TAKEN])
    if (!this.checksFit) return FITS
    if (cluster.podsPlaced[node] + 1 > cluster.podsAllowed[node]) return this.lacking(node)
    if (!this.asksAnything) return FITS
    for (let at = 0; at < this.numbers.length; at++) if (this.lacks(node, at)) return this.lacking(node)
    return FITS
  }

  /** The weighted score of what the node itself decides. */
  score(node: number): number {
    let score = 0
    if (this.fitWeight > 0) score += this.fitWeight * this.fitScore(node)
    if (this.balanceWeight > 0) score += this.balanceWeight * this.balancedScore(node)
    if (this.imageWeight > 0) score += this.imageWeight * this.imagesScore(node)
    return score
  }

  fitScore(node: number): number {
    this.fill(this.fit, node, true)
    return this.scorer(this.requested, this.allocatable)
  }

  /** 0 for a pod that asks for none of the weighed resources, which the plugin skips. */
  balancedScore(node: number): number {
    if (this.balanceWeight === 0) return 0
    this.fill(this.balance, node, false)
    return balanceScore(this.requested, this.allocated, this.allocatable)
  }

  imagesScore(node: number): number {
    const { cluster } = this
    const { images } = this.shape
    let sum = 0
    for (const image of images) {
      const state = cluster.images.get(image)
      if (state?.nodes.has(node) === true) sum += Math.trunc(state.sizeBytes * (state.nodes.size / cluster.nodeCount))
    }
    return sum === 0 ? 0 : imageScore(sum, images.length)
  }

  /** Whether any node has one of the pod's images. */
  get seesImages(): boolean {
    return this.imageWeight > 0 && this.shape.images.some((image) => this.cluster.images.get(image) !== undefined)
  }

  private lacks(node: number, at: number): boolean {
    const number = this.numbers[at]
    const offered = this.cluster.allocatable.columns[number]
    if (offered === undefined) return true
    const taken = this.cluster.requested.columns[number]
    const amount = this.amounts[at]
    if (offered.wide === undefined && taken?.wide === undefined && typeof amount === "number")
      return amount > offered.narrow[node] - (taken === undefined ? 0 : taken.narrow[node])
    return amount > subExact(offered.get(node), taken?.get(node) ?? 0)
  }

  /** All that is short, in one verdict. */
  private lacking(node: number): number {
    const reasons: Array<string> = []
    let resolvable = true
    if (this.cluster.podsPlaced[node] + 1 > this.cluster.podsAllowed[node]) reasons.push("Too many pods")
    for (let at = 0; at < this.numbers.length; at++) {
      if (!this.lacks(node, at)) continue
      reasons.push(`Insufficient ${this.cluster.shapes.resources.names[this.numbers[at]]}`)
      if (this.amounts[at] > this.cluster.allocatable.get(this.numbers[at], node)) resolvable = false
    }
    return this.verdicts.id("NodeResourcesFit", resolvable, reasons)
  }

  private weighed(resources: ReadonlyArray<WeightedResource>, asked: PodShape["requests"]): Weighed {
    const numbers = resources.map(({ name }) => this.cluster.shapes.resources.numberOf(name) ?? -1)
    return { numbers, amounts: numbers.map((number) => (number < 0 ? 0 : amountOf(asked, number))) }
  }

  private fill({ amounts, numbers }: Weighed, node: number, scored: boolean): void {
    const { allocatable, requested, scoredCpu, scoredMemory } = this.cluster
    this.requested.length = this.allocated.length = this.allocatable.length = numbers.length
    for (let at = 0; at < numbers.length; at++) {
      const number = numbers[at]
      // A named resource counts only for pods that ask for it.
      const counts = number >= 0 && (number <= 2 || amounts[at] != 0)
      const offered = counts ? allocatable.get(number, node) : 0
      this.allocatable[at] = offered
      if (offered == 0) {
        this.requested[at] = this.allocated[at] = 0
        continue
      }
      const taken =
        scored && number === CPU
          ? scoredCpu.get(node)
          : scored && number === MEMORY
            ? scoredMemory.get(node)
            : requested.get(number, node)
      this.allocated[at] = taken
      this.requested[at] = addExact(taken, amounts[at])
    }
  }
}

const ignores = ({ fit: { ignoredGroups, ignoredResources } }: Profile, name: string): boolean =>
  isExtended(name) && (ignoredResources.has(name) || ignoredGroups.has(name.split("/")[0]))

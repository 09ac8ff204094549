// Which objects lend their parts to others: the version before, or the last object of the same controller.
// Owns the donors, at most a few thousand; refuses the walk, which Sharing.ts does.
import { controllerOf, type KubeObject } from "#kube"
import { share } from "./Sharing.ts"

const DONORS_MAX = 4096

type Fields = Record<string, unknown>

export class Donors {
  private readonly byController = new Map<string, KubeObject>()

  /**
   * Lets a new object share what it can with the version before it, or with one that the same controller made. The object and its
   * metadata must be fresh: their fields are replaced.
   */
  lend(object: KubeObject, before: KubeObject | undefined): void {
    const donor = before ?? this.of(object)
    if (donor === undefined) return
    shareFields(object, donor)
    shareFields(object.metadata as Fields, donor.metadata as Fields)
  }

  private of(object: KubeObject): KubeObject | undefined {
    const controller = controllerOf(object)?.uid ?? ""
    const donor = this.byController.get(controller)
    if (this.byController.size >= DONORS_MAX && donor === undefined) this.byController.clear()
    this.byController.set(controller, object)
    return donor
  }
}

const shareFields = (fields: Fields, donor: Fields): void => {
  for (const name in fields) {
    if (name === "metadata") continue
    const value = fields[name]
    const given = donor[name]
    if (value !== given && given !== undefined && typeof value === "object") fields[name] = share(value, given)
  }
}

/** Whether an object that shares with the version before says the same as it, whatever the resourceVersions. */
export const isUnchanged = (object: KubeObject, before: KubeObject): boolean =>
  sameBut(object, before, "metadata") &&
  sameBut(object.metadata as Fields, before.metadata as Fields, "resourceVersion")

const sameBut = (a: Fields, b: Fields, except: string): boolean => {
  for (const name in a) if (name !== except && a[name] !== b[name]) return false
  for (const name in b) if (name !== except && b[name] !== undefined && a[name] === undefined) return false
  return true
}

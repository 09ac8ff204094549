// Which nodes hold which container images, and how large those are.
// Owns the count of nodes by image; refuses to score. An image has the size that the first node with it told.

export interface ImageState {
  readonly sizeBytes: number
  readonly nodes: Set<number>
}

type Images = ReadonlyArray<{ readonly names?: ReadonlyArray<string>; readonly sizeBytes?: number }>

export class ImageStates {
  private readonly byName = new Map<string, ImageState>()
  private readonly ofNode = new Map<number, Images>()
  /** Moves when any image is on other nodes than before. */
  epoch = 0

  get(name: string): ImageState | undefined {
    return this.byName.get(name)
  }

  /** What a node holds now; answers whether that is different from before. */
  put(node: number, images: Images): boolean {
    const before = this.ofNode.get(node)
    if (before === undefined ? images.length === 0 : sameImages(before, images)) return false
    for (const name of namesOf(before ?? [])) {
      const state = this.byName.get(name)
      if (state?.nodes.delete(node) === true && state.nodes.size === 0) this.byName.delete(name)
    }
    for (const { names = [], sizeBytes = 0 } of images)
      for (const name of names) {
        const state = this.byName.get(name)
        if (state === undefined) this.byName.set(name, { sizeBytes, nodes: new Set([node]) })
        else state.nodes.add(node)
      }
    if (images.length === 0) this.ofNode.delete(node)
    else this.ofNode.set(node, images)
    this.epoch++
    return true
  }
}

const namesOf = (images: Images): ReadonlyArray<string> => images.flatMap(({ names = [] }) => names)

const sameImages = (a: Images, b: Images): boolean =>
  a === b || (a.length === b.length && JSON.stringify(a) === JSON.stringify(b))

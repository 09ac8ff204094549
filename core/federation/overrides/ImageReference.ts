// The parts of an image's name: registry, repository, tag, digest.
// Owns the grammar (distribution's reference: the first segment is a registry when it looks like a host) and the changes of parts;
// refuses to know where images stand.
import type { ImageOperation } from "../api/OverridePolicy.ts"

interface ImageParts {
  Registry: string
  Repository: string
  Tag: string
  Digest: string
}

const TAG = /^\w[\w.-]{0,127}$/
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
const REGISTRY =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/
const REPOSITORY = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/

const grammar: Readonly<Record<keyof ImageParts, RegExp>> = {
  Registry: REGISTRY,
  Repository: REPOSITORY,
  Tag: TAG,
  Digest: DIGEST
}

const isHost = (segment: string): boolean => /[.:]/.test(segment) || segment === "localhost"

/** The parts of an image; absent ones are empty. */
export const imageParts = (image: string): ImageParts => {
  const [name, digest = ""] = image.split("@", 2)
  const slash = name.indexOf("/")
  const hasRegistry = slash > 0 && isHost(name.slice(0, slash))
  const rest = hasRegistry ? name.slice(slash + 1) : name
  const colon = rest.lastIndexOf(":")
  const hasTag = colon > rest.lastIndexOf("/")
  return {
    Registry: hasRegistry ? name.slice(0, slash) : "",
    Repository: hasTag ? rest.slice(0, colon) : rest,
    Tag: hasTag ? rest.slice(colon + 1) : "",
    Digest: digest
  }
}

/** The image that has these parts. */
export const imageText = ({ Digest, Registry, Repository, Tag }: ImageParts): string =>
  `${Registry === "" ? "" : `${Registry}/`}${Repository}${Tag === "" ? "" : `:${Tag}`}${Digest === "" ? "" : `@${Digest}`}`

/** A change that cannot be made: the sentence says why. */
export class Unchangeable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** The image after all operations, or why one of them cannot be done. */
export const changedImage = (image: string, operations: ReadonlyArray<ImageOperation>): string | Unchangeable => {
  const parts = imageParts(image)
  for (const { imageComponent, operator, value = "" } of operations) {
    if (operator === "delete") {
      if (imageComponent === "Repository") return new Unchangeable("an image must keep its repository")
      parts[imageComponent] = ""
      continue
    }
    if (value === "") return new Unchangeable(`a value for the image's ${imageComponent} is required`)
    if (!grammar[imageComponent].test(value))
      return new Unchangeable(`${JSON.stringify(value)} is no ${imageComponent}`)
    if (operator === "addIfAbsent" && parts[imageComponent] !== "") continue
    parts[imageComponent] = value
  }
  return imageText(parts)
}

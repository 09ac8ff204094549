// A client whose writes name their field manager, as every real client's do.
// Owns the default; refuses to override what a call says itself.
import type { Client, WriteOptions } from "#kube"

/** The same client; writes that name no manager are this one's. */
export const managingClient = (client: Client, fieldManager: string): Client => {
  const bare: WriteOptions = { fieldManager }
  const managed = <Options extends WriteOptions>(options: Options): Options =>
    options.fieldManager === undefined ? { ...options, ...bare } : options
  return {
    ...client,
    create: (target, object, options, done) => client.create(target, object, managed(options), done),
    update: (target, object, options, done) => client.update(target, object, managed(options), done),
    patch: (target, patch, options, done) => client.patch(target, patch, managed(options), done)
  }
}

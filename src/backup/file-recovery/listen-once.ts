// A socket for one connection of a QEMU that we start: whoever comes second finds nobody.

import { createServer, type Server, type Socket } from "node:net";

export interface Listener extends Disposable {
  readonly path: string;
  readonly connection: Promise<Socket>;
}

export async function listenOnce(path: string): Promise<Listener> {
  const connection = Promise.withResolvers<Socket>();
  const server: Server = createServer((socket) => {
    server.close();
    connection.resolve(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return { path, connection: connection.promise, [Symbol.dispose]: () => void server.close() };
}

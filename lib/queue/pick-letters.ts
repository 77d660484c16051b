import type { DeadLetter, PickLetters } from './task-queue.ts';

/** Those of a broker's own messages that are asked for, all or one by its id, and picked. */
export async function pickFrom<Message>(
  messages: readonly Message[],
  toLetter: (message: Message) => DeadLetter,
  pick: PickLetters,
  id: string | undefined,
): Promise<Message[]> {
  const asked = messages
    .map((message) => ({ message, letter: toLetter(message) }))
    .filter(({ letter }) => id === undefined || letter.id === id);
  if (asked.length === 0) return [];
  const picked = new Set(
    (await pick(asked.map(({ letter }) => letter))).map((letter) => letter.id),
  );
  return asked.filter(({ letter }) => picked.has(letter.id)).map(({ message }) => message);
}

// The door to a robot's stage: its WebSocket, and the data channels that the offer brings.

export class RobotDoor {
  /// `onChannel` is given the channel for messages, before the offer is made.
  constructor(name, token, onChannel) {
    this.offer = {};
    this.openChannels = (peer) => onChannel(peer.createDataChannel("robot"));
    this.open = async () => {
      const answer = await fetch(`/v1/robots/${encodeURIComponent(name)}`, { headers: authorization(token) }).catch(() => {
        throw new Error("The server does not answer");
      });
      const robot = await answer.json().catch(() => ({}));
      if (!answer.ok) throw new Error(robot.detail ?? `The server refused the robot (${answer.status})`);
      const url = new URL(robot.signaling_url, location.href);
      if (token) url.searchParams.set("token", token);
      return url;
    };
  }

  close() {}
}

export function authorization(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

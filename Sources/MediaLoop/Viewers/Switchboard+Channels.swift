internal import Core
internal import Networking
internal import PeerConnection

/// A viewer's data channel as the loop sees it.
struct OpenChannel {
    /// The last message found too much waiting.
    var isCongested = false
}

extension Switchboard {
    /// Says something over a viewer's channel, or drops and counts it.
    func send(_ message: DataChannelMessage, on channel: DataChannelID, to id: ViewerID) {
        guard let viewer = viewers[id], let open = viewer.openChannels[channel] else {
            return metrics.channelMessagesUnaddressed.increment()
        }
        do throws(DataChannelError) {
            try viewer.peer.send(message, on: channel, now: loop.now)
            metrics.channelMessagesSent.increment()
            drain(viewer)
        } catch {
            switch error {
            case .bufferFull:
                metrics.channelMessagesCongested.increment()
                guard !open.isCongested else { return }
                viewer.openChannels[channel]?.isCongested = true
                viewer.channels?.congested(true, on: channel, viewer: id)
            case .tooLarge:
                metrics.channelMessagesTooLarge.increment()
            case .unknownChannel, .notOpen, .tooManyChannels, .invalidSettings:
                metrics.channelMessagesUnaddressed.increment()
            }
        }
    }

    /// Says it only where nothing said before still waits.
    func sendNewest(_ message: DataChannelMessage, on channel: DataChannelID, to id: ViewerID) {
        guard viewers[id]?.peer.bufferedBytes(on: channel) ?? 0 == 0 else {
            return metrics.channelMessagesOutdated.increment()
        }
        send(message, on: channel, to: id)
    }

    func closeChannel(_ channel: DataChannelID, of id: ViewerID) {
        guard let viewer = viewers[id], viewer.openChannels[channel] != nil else { return }
        viewer.peer.closeDataChannel(channel, now: loop.now)
        drain(viewer)
    }

    // MARK: Events of the peer

    func channelOpened(_ channel: DataChannelID, _ settings: DataChannelSettings, of viewer: Viewer) {
        guard let channels = viewer.channels, viewer.openChannels[channel] == nil else { return }
        viewer.openChannels[channel] = OpenChannel()
        metrics.channelsOpened.increment()
        channels.opened(channel, label: settings.label, viewer: viewer.id)
    }

    func channelSpoke(_ channel: DataChannelID, _ message: DataChannelMessage, of viewer: Viewer) {
        guard let channels = viewer.channels, viewer.openChannels[channel] != nil else { return }
        guard viewer.channelRate.take(now: loop.now) else { return metrics.channelMessagesOverRate.increment() }
        metrics.channelMessagesReceived.increment()
        channels.received(message, on: channel, viewer: viewer.id)
    }

    func channelHasRoom(_ channel: DataChannelID, of viewer: Viewer) {
        guard viewer.openChannels[channel]?.isCongested == true else { return }
        viewer.openChannels[channel]?.isCongested = false
        viewer.channels?.congested(false, on: channel, viewer: viewer.id)
    }

    func channelClosed(_ channel: DataChannelID, of viewer: Viewer) {
        guard viewer.openChannels.removeValue(forKey: channel) != nil else { return }
        viewer.channels?.closed(channel, viewer: viewer.id)
    }

    /// The viewer is gone.
    func endChannels(of viewer: Viewer) {
        viewer.openChannels = [:]
        viewer.channels?.ended(viewer: viewer.id)
    }
}

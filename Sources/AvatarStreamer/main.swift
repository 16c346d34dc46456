print("avatar-streamer")

// The notice board between the thread that trains and the pages that look on.
//
// The trainer pins notices, of which the newest of each name counts, and adds to a curve, of which all counts. A reader
// asks what is new since its last look; it may come late, or again, and misses nothing that still matters.

#ifndef STUDIO_BOARD_HPP
#define STUDIO_BOARD_HPP

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace studio {

class board {
public:
    /// What a reader has seen.
    struct bookmark {
        std::map<std::string, std::uint64_t> notices;
        std::uint64_t curve = 0; // which curve
        std::size_t points = 0;  // how many points of it
    };

    struct event {
        std::string name, json;
    };

    /// Pins a notice over the last one of that name.
    void pin(const std::string &name, std::string json)
    {
        change([&] { notices_[name] = {++clock_, std::move(json)}; });
    }

    /// Adds a point to the curve.
    void add(std::string point)
    {
        change([&] { points_.push_back(std::move(point)); });
    }

    /// Begins a new curve, and takes the other notices off.
    void clear()
    {
        change([&] {
            notices_.clear();
            points_.clear();
            curve_++;
        });
    }

    /// There will be no more events: readers are let go.
    void close()
    {
        change([&] { closed_ = true; });
    }

    bool closed() const
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return closed_;
    }

    /// What is new since the bookmark, which moves on; waits for it up to `patience`. Empty when there is nothing.
    std::vector<event> events(bookmark &seen, std::chrono::milliseconds patience) const
    {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return closed_ || has_events(seen); });
        std::vector<event> found;
        if (seen.curve != curve_ || seen.points < points_.size()) {
            if (seen.curve != curve_)
                seen.points = 0;
            found.push_back({"curve", curve_json(seen.points)});
            seen.curve = curve_;
            seen.points = points_.size();
        }
        for (const auto &[name, pinned] : notices_)
            if (std::uint64_t &version = seen.notices[name]; version < pinned.version) {
                version = pinned.version;
                found.push_back({name, pinned.json});
            }
        return found;
    }

private:
    struct notice {
        std::uint64_t version;
        std::string json;
    };

    template <typename Change> void change(Change &&what)
    {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            what();
        }
        changed_.notify_all();
    }

    bool has_events(const bookmark &seen) const
    {
        if (seen.curve != curve_ || seen.points < points_.size())
            return true;
        for (const auto &[name, pinned] : notices_) {
            const auto known = seen.notices.find(name);
            if (known == seen.notices.end() || known->second < pinned.version)
                return true;
        }
        return false;
    }

    std::string curve_json(std::size_t from) const
    {
        std::string text = "{\"curve\":" + std::to_string(curve_) + ",\"from\":" + std::to_string(from) + ",\"points\":[";
        for (std::size_t i = from; i < points_.size(); i++)
            text += (i > from ? "," : "") + points_[i];
        return text + "]}";
    }

    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, notice> notices_;
    std::vector<std::string> points_;
    std::uint64_t clock_ = 0, curve_ = 1;
    bool closed_ = false;
};

} // namespace studio

#endif

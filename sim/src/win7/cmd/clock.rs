//! What the machine's clock shows: virtual time since a fixed moment.

/// The moment at which virtual time 0 is: 2011-02-22 09:00:00 local time, the day of Service Pack 1, a Tuesday.
pub const START: (u32, u32, u32) = (2011, 2, 22);
const START_HOUR: u64 = 9;

/// A moment of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Moment {
    /// The year.
    pub year: u32,
    /// The month, from 1.
    pub month: u32,
    /// The day, from 1.
    pub day: u32,
    /// The day of the week, 0 for Sunday.
    pub weekday: u32,
    /// The hour.
    pub hour: u32,
    /// The minute.
    pub minute: u32,
    /// The second.
    pub second: u32,
    /// Hundredths of it.
    pub hundredth: u32,
}

impl Moment {
    /// The moment so many milliseconds after the start.
    pub fn after_ms(ms: u64) -> Moment {
        let ms = ms + START_HOUR * 3_600_000;
        let (days, within) = (ms / 86_400_000, ms % 86_400_000);
        let (mut year, mut month, mut day) = START;
        for _ in 0..days.min(3_000_000) {
            day += 1;
            if day > days_of(year, month) {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        Moment {
            year,
            month,
            day,
            weekday: ((2 + days) % 7) as u32,
            hour: (within / 3_600_000) as u32,
            minute: (within / 60_000 % 60) as u32,
            second: (within / 1000 % 60) as u32,
            hundredth: (within / 10 % 100) as u32,
        }
    }

    /// The date in numbers, with the formats of en-US: `02/22/2011`.
    pub fn numbers(&self) -> String {
        format!("{:02}/{:02}/{:04}", self.month, self.day, self.year)
    }

    /// Hour and minute, with the formats of en-US: `09:00 AM`.
    pub fn half_day(&self) -> String {
        let half = if self.hour < 12 { "AM" } else { "PM" };
        let hour = match self.hour % 12 {
            0 => 12,
            hour => hour,
        };
        format!("{hour:02}:{:02} {half}", self.minute)
    }
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn the_calendar_goes_on() {
        let at = |ms| {
            let moment = Moment::after_ms(ms);
            (moment.month, moment.day, moment.weekday, moment.hour)
        };
        assert_eq!(at(0), (2, 22, 2, 9));
        assert_eq!(at(7 * 86_400_000), (3, 1, 2, 9));
        assert_eq!(at(15 * 3_600_000), (2, 23, 3, 0));
    }
}

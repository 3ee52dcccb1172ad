"""Predict one series: experts, their mixture, intervals, breaches, time to a limit."""

from amptalk.forecast.forecaster import Forecaster as Forecaster
from amptalk.forecast.result import Forecast as Forecast
from amptalk.forecast.result import TimeToLimit as TimeToLimit

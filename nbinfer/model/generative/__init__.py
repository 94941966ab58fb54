"""Densities turned round: functions that draw what a sum of family calls is the log density of."""
